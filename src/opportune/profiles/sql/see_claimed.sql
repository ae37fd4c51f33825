-- Whoever logged in with an anonymous identifier is seen with it, before and after.
with seen as (
    select link.profile_id, min(incoming.occurred_at_us) as first_us, max(incoming.occurred_at_us) as last_us
    from incoming
    join identifier as link on link.kind = 'anonymous_id' and link.value = incoming.anonymous_id
    where incoming.user_id is null and link.profile_id <> identity_hash('anonymous_id', link.value)
    group by link.profile_id
)
update profile set
    first_seen_at = least(profile.first_seen_at, to_timestamp(seen.first_us / 1e6)),
    last_seen_at = greatest(profile.last_seen_at, to_timestamp(seen.last_us / 1e6))
from seen
where profile.profile_id = seen.profile_id
