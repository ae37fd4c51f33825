-- In which of these segments these profiles are now.
select segment_membership.profile_id, segment_membership.segment
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
join segment_membership on segment_membership.profile_id = asked.profile_id
    and segment_membership.left_at is null and segment_membership.segment = any (%(segments)s::text[])
