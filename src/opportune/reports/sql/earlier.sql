-- What some profiles brought in the days before something was decided of them first.
with theirs as (
    select
        asked.profile_id,
        events.amount,
        events.occurred_at_us // 86400000000 as utc_day,
        row_number() over (
            partition by asked.profile_id order by events.occurred_at_us desc, events.message_id desc
        ) as place
    from measured as events
    -- Only what came with a user id: what a device did before a login is known of those who logged in, and whoever was
    -- sent something may do that more often.
    join identifiers on identifiers.kind = 'user_id' and identifiers.value = events.user_id
    join asked on asked.profile_id = identifiers.profile_id
    where abs(events.amount) < 1e15
        and events.occurred_at_us < asked.first_us and events.occurred_at_us >= asked.first_us - $past_us
)
select
    profile_id,
    case
        when $aggregate = 'sum' then coalesce(sum(amount), 0.0)
        when $aggregate = 'unique_days' then cast(count(distinct utc_day) as double)
        when $aggregate = 'mean' then avg(amount)
        else max(case when place = 1 then amount end)
    end as brought
from theirs
group by profile_id
order by profile_id
