-- What some profiles brought of a metric from a moment of their own on, until one that is the same for all.
with theirs as (
    select
        asked.profile_id,
        events.amount,
        events.occurred_at_us // 86400000000 as utc_day,
        row_number() over (
            partition by asked.profile_id order by events.occurred_at_us desc, events.message_id desc
        ) as place
    from measured as events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        -- What happened before the login is the profile's only where the person consents to its use.
        and events.occurred_at_us >= anonymous.since_us
    join asked on asked.profile_id = coalesce(known.profile_id, anonymous.profile_id)
    -- What is no number, not finite or beyond any amount of money counts for nothing.
    where abs(events.amount) < 1e15
        and events.occurred_at_us >= asked.first_us and events.occurred_at_us < $until_us
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
