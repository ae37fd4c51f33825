-- Who is decided for: in any of the segments now and in none of the ones taken away, each once.
select profile_id
from segment_membership
where left_at is null and segment = any(%(segments)s)
except
select profile_id
from segment_membership
where left_at is null and segment = any(%(minus)s)
