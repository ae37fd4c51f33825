-- In which of these segments these profiles are now.
select asked.profile_id, current.segment
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
cross join lateral (
    select segment_membership.segment
    from segment_membership
    where segment_membership.profile_id = asked.profile_id and segment_membership.left_at is null
        and segment_membership.segment = any (%(segments)s::text[])
    offset 0
) as current
