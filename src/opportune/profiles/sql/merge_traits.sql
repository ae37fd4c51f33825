-- Traits of identify calls: the newest value by event time wins whatever the order of arrival; null removes it.
with message as materialized (
    -- Hashed and parsed once a message, not once a trait.
    select
        coalesce(identity_hash('user_id', incoming.user_id), link.profile_id) as profile_id,
        try_jsonb_object(incoming.traits) as traits, incoming.occurred_at_us, incoming.place
    from incoming
    left join identifier as link
        on incoming.user_id is null and link.kind = 'anonymous_id' and link.value = incoming.anonymous_id
    where incoming.type = 'identify'
),
newest as (
    select distinct on (message.profile_id, trait.key)
        message.profile_id, trait.key as name, trait.value, message.occurred_at_us
    from message
    cross join lateral jsonb_each(message.traits) as trait
    order by message.profile_id, trait.key, message.occurred_at_us desc, message.place desc
),
change as (
    select newest.profile_id,
        jsonb_object_agg(newest.name, newest.value) filter (where newest.value <> 'null') as setting,
        array_agg(newest.name) filter (where newest.value = 'null') as removing,
        jsonb_object_agg(newest.name, newest.occurred_at_us) as set_at
    from newest
    join profile on profile.profile_id = newest.profile_id
    where newest.occurred_at_us >= coalesce((profile.trait_set_at ->> newest.name)::bigint, -9223372036854775808)
    group by newest.profile_id
)
update profile set
    traits = (profile.traits || coalesce(change.setting, '{}')) - coalesce(change.removing, '{}'),
    trait_set_at = profile.trait_set_at || change.set_at
from change
where profile.profile_id = change.profile_id
