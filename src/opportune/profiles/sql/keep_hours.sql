-- Adds a batch to the hours in which there are events of an identifier.
insert into event_hour as known (
    identifier_id, hour, events, received_from_us, received_to_us, zone_at_us, zone
)
select identifier_id, hour, sum(events)::int, min(received_from_us), max(received_to_us), max(zone_at_us),
    (array_agg(zone order by zone_at_us desc nulls last, zone collate "C"))[1]
from (
    select case when user_id is null then identity_hash('anonymous_id', anonymous_id)
        else identity_hash('user_id', user_id) end as identifier_id,
        hour, events, received_from_us, received_to_us, zone_at_us, zone
    from active
    where user_id is not null or anonymous_id is not null
) as counted
group by identifier_id, hour
order by identifier_id, hour
on conflict (identifier_id, hour) do update set
    events = known.events + excluded.events,
    received_from_us = least(known.received_from_us, excluded.received_from_us),
    received_to_us = greatest(known.received_to_us, excluded.received_to_us),
    zone = case
        when excluded.zone_at_us > coalesce(known.zone_at_us, excluded.zone_at_us - 1)
            or (excluded.zone_at_us = known.zone_at_us and excluded.zone collate "C" < known.zone collate "C")
            then excluded.zone
        else known.zone
    end,
    zone_at_us = greatest(known.zone_at_us, excluded.zone_at_us)
