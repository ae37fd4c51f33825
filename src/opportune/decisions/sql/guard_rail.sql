-- What a metric comes to per recipient: those who were sent something since a day, each from its first time on, over
-- the metric's window or as much of it as has passed.
with recipient as (
    select profile_id, min(decided_at_us) as since_us
    from decisions
    where use_case = $use_case and variant <> 'control' and due_at is not null
        and day >= cast($from_day as date) and day < cast($day as date)
    group by profile_id
),
watched as (
    select profile_id, since_us
    from recipient
    -- What must not be too little is not looked at before its time is over.
    where $until_us is null or since_us + $window_us <= $until_us
),
outcome as (
    select
        events.occurred_at_us,
        coalesce(known.profile_id, anonymous.profile_id) as profile_id,
        case
            when $path is null then 1.0
            -- try: properties that are no JSON to this engine are worth nothing, and stop nobody else.
            else try_cast(try(json_extract_string(events.properties, $path)) as double)
        end as amount
    from events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        and events.occurred_at_us >= anonymous.since_us
    where events.type = 'track' and events.event = $event
),
amount as (
    select
        watched.profile_id,
        coalesce(sum(outcome.amount) filter (where abs(outcome.amount) < 1e15), 0.0) as total
    from watched
    left join outcome on outcome.profile_id = watched.profile_id
        and outcome.occurred_at_us >= watched.since_us
        and outcome.occurred_at_us < watched.since_us + $window_us
    group by watched.profile_id
),
value as (
    -- A count says whether it happened to somebody, not how often.
    select case when $path is null then least(total, 1.0) else total end as total
    from amount
)
select
    count(total) as recipients,
    sum(case when total <> 0 then 1 else 0 end)::bigint as affected,
    coalesce(avg(total), 0.0) as mean,
    coalesce(var_pop(total) * count(total), 0.0) as m2
from value
order by recipients
