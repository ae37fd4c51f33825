-- Whose answer depends on the time is asked once more, and then when it may change.
insert into segment_wake (segment, profile_id, wake_at_us)
select %(segment)s, found.profile_id, %(now_us)s
from (
    select identifier.profile_id
    from live_event
    join identifier on identifier.identifier_id = live_event.identifier_id
    where (%(every)s or live_event.event = any (%(names)s::text[]))
        and (%(timed)s or live_event.occurred_at_us > %(now_us)s)
    union
    select profile_id
    from profile
    where traits ?| %(traits)s::text[]
) as found
order by found.profile_id
on conflict (segment, profile_id) do update set wake_at_us = excluded.wake_at_us
where segment_wake.wake_at_us > excluded.wake_at_us
