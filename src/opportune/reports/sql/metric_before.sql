-- What some profiles brought in each of the two windows before a moment, as the sums that their moments are made of.
with outcome as (
    select
        events.message_id,
        events.occurred_at_us,
        events.occurred_at_us >= $middle_us as is_later,
        coalesce(known.profile_id, anonymous.profile_id) as profile_id,
        events.amount
    from measured as events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        and events.occurred_at_us >= anonymous.since_us
    -- What is no number, not finite or beyond any amount of money counts for nothing.
    where abs(events.amount) < 1e15
        and events.occurred_at_us >= $from_us and events.occurred_at_us < $to_us
),
theirs as (
    select
        outcome.profile_id,
        outcome.is_later,
        outcome.amount,
        outcome.occurred_at_us // 86400000000 as utc_day,
        row_number() over (
            partition by outcome.profile_id, outcome.is_later
            order by outcome.occurred_at_us desc, outcome.message_id desc
        ) as place
    from outcome
    semi join asked on asked.profile_id = outcome.profile_id
),
value as (
    select
        profile_id,
        is_later,
        case
            when $aggregate = 'sum' then coalesce(sum(amount), 0.0)
            when $aggregate = 'unique_days' then cast(count(distinct utc_day) as double)
            when $aggregate = 'mean' then coalesce(avg(amount), 0.0)
            else coalesce(max(case when place = 1 then amount end), 0.0)
        end as total
    from theirs
    group by profile_id, is_later
),
earned as (
    select
        profile_id,
        sum(case when is_later then total else 0.0 end) as later,
        sum(case when is_later then 0.0 else total end) as earlier
    from value
    group by profile_id
)
select
    count(*) as profiles,
    coalesce(sum(case when later > 0 then 1 else 0 end), 0)::bigint as rewarded,
    coalesce(sum(later), 0.0) as later,
    coalesce(sum(later * later), 0.0) as later_squares,
    coalesce(sum(earlier), 0.0) as earlier,
    coalesce(sum(earlier * earlier), 0.0) as earlier_squares,
    coalesce(sum(later * earlier), 0.0) as products
from earned
order by profiles
