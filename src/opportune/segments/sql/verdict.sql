-- Of each pair whether the rule holds, and the next moment at which that may change though nothing happens: too early
-- does no harm.
with moments as (
    select shifts.segment, events.profile_id, events.occurred_at_us + shifts.after_us as at_us
    from events
    join shifts on shifts.event = events.event
    where shifts.event is not null
    union all
    select shifts.segment, events.profile_id, events.occurred_at_us + shifts.after_us as at_us
    from events
    cross join shifts
    where shifts.event is null
    union all
    select fields.segment, dates.profile_id, dates.at_us + fields.after_us as at_us
    from dates
    join fields on fields.field = dates.field
),
wakes as (
    select segment, profile_id, min(at_us) as wake_at_us
    from moments
    where at_us > $now_us
    group by segment, profile_id
)
select asked.segment, asked.profile_id, holding.profile_id is not null as holds, wakes.wake_at_us
from asked
left join holding on holding.segment = asked.segment and holding.profile_id = asked.profile_id
left join wakes on wakes.segment = asked.segment and wakes.profile_id = asked.profile_id
order by asked.segment, asked.profile_id
