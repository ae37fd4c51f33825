-- Events of names that no rule asks for, and those that are older than any rule looks back.
delete from live_event
where (not %(every)s and (event is null or event <> all (%(names)s::text[])))
    or exists (
        select from unnest(%(names)s::text[], %(lows_us)s::bigint[]) as wanted (event, low_us)
        where wanted.event = live_event.event and live_event.occurred_at_us < wanted.low_us
    )
