-- The profile of nobody: what was earned with it stays credited, and no rule decides for it, as it has no user id.
with added as (
    insert into profile (profile_id, traits, first_seen_at, last_seen_at)
    select profile_id, traits, first_seen_at, last_seen_at
    from kept_profile
    order by profile_id
    on conflict (profile_id) do nothing
    returning profile_id
),
named as (
    insert into identifier (kind, value, profile_id, linked_at, sighted_at_us, first_seen_at_us, last_seen_at_us)
    select 'anonymous_id', new_value, profile_id, first_seen_at,
        (extract(epoch from first_seen_at) * 1000000)::bigint, (extract(epoch from first_seen_at) * 1000000)::bigint,
        (extract(epoch from last_seen_at) * 1000000)::bigint
    from kept_profile
    order by profile_id
    on conflict (kind, value) do nothing
    returning 1
)
select 'anonymous_profile' as table_name, count(*)::int as rows
from added
