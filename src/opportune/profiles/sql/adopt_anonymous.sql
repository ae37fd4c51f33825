-- What was known of the anonymous profile becomes known of the one that logged in; the newest value of a trait wins.
with old as (
    select
        link.profile_id as owner_id, link.value as anonymous_id,
        profile.traits, profile.trait_set_at, profile.first_seen_at, profile.last_seen_at
    from (select distinct anonymous_id from incoming where user_id is not null) as login
    join identifier as link on link.kind = 'anonymous_id' and link.value = login.anonymous_id
    join profile on profile.profile_id = identity_hash('anonymous_id', link.value)
    where link.profile_id <> profile.profile_id
),
adopted as (
    select distinct on (old.owner_id, known.key)
        old.owner_id, known.key as name, old.traits -> known.key as value, known.value::bigint as set_at_us
    from old
    cross join lateral jsonb_each_text(old.trait_set_at) as known
    order by old.owner_id, known.key, known.value::bigint desc, old.anonymous_id
),
newer as (
    select adopted.owner_id,
        jsonb_object_agg(adopted.name, adopted.value) filter (where adopted.value is not null) as setting,
        array_agg(adopted.name) filter (where adopted.value is null) as removing,
        jsonb_object_agg(adopted.name, adopted.set_at_us) as set_at
    from adopted
    join profile on profile.profile_id = adopted.owner_id
    where adopted.set_at_us > coalesce((profile.trait_set_at ->> adopted.name)::bigint, -9223372036854775808)
    group by adopted.owner_id
),
seen as (
    select owner_id, min(first_seen_at) as first_seen_at, max(last_seen_at) as last_seen_at
    from old
    group by owner_id
)
update profile set
    traits = (profile.traits || coalesce(newer.setting, '{}')) - coalesce(newer.removing, '{}'),
    trait_set_at = profile.trait_set_at || coalesce(newer.set_at, '{}'),
    first_seen_at = least(profile.first_seen_at, seen.first_seen_at),
    last_seen_at = greatest(profile.last_seen_at, seen.last_seen_at)
from seen
left join newer on newer.owner_id = seen.owner_id
where profile.profile_id = seen.owner_id
