-- Who is in these segments now.
select profile_id, segment
from segment_membership
where left_at is null and segment = any(%(segments)s)
