-- What a metric comes to for each recipient: those who were sent something since a day, each from its first time on, over
-- the metric's window or as much of it as has passed.
with recipient as (
    select profile_id, min(decided_at_us) as since_us
    from decisions
    where use_case = $use_case and variant not in ('control', 'holdout') and due_at is not null
        and day >= cast($from_day as date) and day < cast($day as date)
    group by profile_id
),
watched as (
    select profile_id, since_us
    from recipient
    -- What must not be too little is not looked at before its time is over.
    where $until_us is null or since_us + $watched_us <= $until_us
),
outcome as (
    select
        events.message_id,
        events.occurred_at_us,
        coalesce(known.profile_id, anonymous.profile_id) as profile_id,
        events.amount
    from measured as events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        and events.occurred_at_us >= anonymous.since_us
    -- What is no number, not finite or beyond any amount of money counts for nothing.
    where abs(events.amount) < 1e15
),
within as (
    select
        watched.profile_id,
        outcome.amount,
        outcome.occurred_at_us // 86400000000 as utc_day,
        row_number() over (
            partition by watched.profile_id order by outcome.occurred_at_us desc, outcome.message_id desc
        ) as place
    from watched
    left join outcome on outcome.profile_id = watched.profile_id
        and outcome.occurred_at_us >= watched.since_us
        and outcome.occurred_at_us < watched.since_us + $window_us
)
select
    profile_id,
    case
        when $aggregate = 'count' then least(coalesce(sum(amount), 0.0), 1.0)
        when $aggregate = 'sum' then coalesce(sum(amount), 0.0)
        when $aggregate = 'unique_days' then cast(count(distinct utc_day) as double)
        -- Of nothing there is no mean and no last one.
        when $aggregate = 'mean' then avg(amount)
        else max(case when place = 1 then amount end)
    end as total
from within
group by profile_id
order by profile_id
