-- Whose answer may be another one by now, the longest overdue first.
select segment, profile_id
from segment_wake
where wake_at_us <= %(now_us)s and segment = any (%(segments)s::text[])
order by wake_at_us, segment, profile_id
limit %(limit)s
