-- When a profile was seen, where nothing else of it changed.
update profile set
    first_seen_at = least(profile.first_seen_at, to_timestamp(seen.first_us / 1e6)),
    last_seen_at = greatest(profile.last_seen_at, to_timestamp(seen.last_us / 1e6))
from (
    select named.profile_id, min(named.first_seen_at_us) as first_us, max(named.last_seen_at_us) as last_us
    from named
    where named.profile_id is not null and named.first_seen_at_us is not null
        and named.profile_id not in (select unnest(%(touched)s::bigint[]))
    group by named.profile_id
) as seen
where profile.profile_id = seen.profile_id
    and (
        profile.first_seen_at > to_timestamp(seen.first_us / 1e6)
        or profile.last_seen_at < to_timestamp(seen.last_us / 1e6)
    )
