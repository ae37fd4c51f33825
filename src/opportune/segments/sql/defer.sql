-- Whom to ask as soon as the segment is filled.
insert into segment_wake (segment, profile_id, wake_at_us)
select distinct segment, profile_id, %(now_us)s::bigint
from later
order by segment, profile_id
on conflict (segment, profile_id) do update set wake_at_us = excluded.wake_at_us
where segment_wake.wake_at_us > excluded.wake_at_us
