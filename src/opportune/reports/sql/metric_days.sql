-- What each profile brought of a metric, on each day in UTC or, as day 0, over all of them.
with theirs as (
    select
        case when $by_day then events.occurred_at_us // 86400000000 else 0 end as day_number,
        coalesce(known.profile_id, anonymous.profile_id) as profile_id,
        events.amount,
        events.occurred_at_us // 86400000000 as utc_day,
        events.occurred_at_us,
        events.message_id
    from measured as events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        -- What happened before the login is the profile's only where the person consents to its use.
        and events.occurred_at_us >= anonymous.since_us
    -- What is no number, not finite or beyond any amount of money counts for nothing.
    where abs(events.amount) < 1e15
        and events.occurred_at_us >= $from_us and events.occurred_at_us < $until_us
),
placed as (
    select
        day_number,
        profile_id,
        amount,
        utc_day,
        row_number() over (
            partition by day_number, profile_id order by occurred_at_us desc, message_id desc
        ) as place
    from theirs
    where profile_id is not null
)
select
    day_number,
    profile_id,
    case
        when $aggregate = 'sum' then coalesce(sum(amount), 0.0)
        when $aggregate = 'unique_days' then cast(count(distinct utc_day) as double)
        when $aggregate = 'mean' then avg(amount)
        else max(case when place = 1 then amount end)
    end as brought
from placed
group by day_number, profile_id
order by day_number, profile_id
