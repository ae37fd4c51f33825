-- Identifiers go where the links say; returns the profiles that lost or won one.
with before as (
    select moved.identifier_id, moved.profile_id, moved.linked_at_us, identifier.profile_id as from_profile_id
    from moved
    join identifier on identifier.identifier_id = moved.identifier_id
),
gone as (
    update identifier set
        profile_id = before.profile_id,
        linked_at = to_timestamp(before.linked_at_us / 1e6)
    from before
    where identifier.identifier_id = before.identifier_id
    returning before.from_profile_id, before.profile_id
)
select from_profile_id as profile_id from gone
union
select profile_id from gone
order by profile_id
