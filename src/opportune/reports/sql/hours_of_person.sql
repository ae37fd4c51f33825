-- The newest hours, from one hour back, that are needed for so many events of a profile; where each is to be found. An
-- identifier without consent to its past has none from before it was linked.
with own as materialized (
    select identifier.identifier_id, identifier.kind, identifier.value,
        case
            when profile.past_apart and identifier.kind <> 'user_id'
                then (extract(epoch from identifier.linked_at) * 1000000)::bigint
        end as since_us
    from profile
    join identifier using (profile_id)
    where profile.profile_id = %(profile_id)s
),
active as (
    select own.kind, own.value, own.since_us, found.hour, found.events, found.received_from_us, found.received_to_us
    from own
    cross join lateral (
        select event_hour.hour, event_hour.events, event_hour.received_from_us, event_hour.received_to_us
        from event_hour
        where event_hour.identifier_id = own.identifier_id
            and event_hour.hour <= %(hour)s
            and event_hour.hour >= coalesce(floor(own.since_us / 3600e6), -2147483648)
        order by event_hour.hour desc
        limit %(wanted)s + 1
    ) as found
),
by_hour as (
    select hour, sum(events) as events, min(received_from_us) as received_from_us, max(received_to_us) as received_to_us
    from active
    group by hour
),
counted as (
    select by_hour.*,
        -- What lies before the cursor in its own hour is not known.
        coalesce(sum(events) filter (where hour < %(hour)s) over (
            order by hour desc rows between unbounded preceding and 1 preceding
        ), 0) as newer
    from by_hour
)
select hour, received_from_us, received_to_us, newer < %(wanted)s as needed
from counted
where newer < %(wanted)s or hour = (select max(hour) from counted where newer >= %(wanted)s)
order by hour desc
