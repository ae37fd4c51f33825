-- The reward of each decision of some days: outcomes that name it or the call that its send was in, and those that name
-- neither but carry its coupon, or else follow it most closely.
with outcome as (
    select
        events.message_id,
        events.occurred_at_us,
        events.user_id,
        try(json_extract_string(events.properties, '/dispatch_id')) as dispatch_id,
        coalesce(known.profile_id, anonymous.profile_id) as profile_id,
        -- '=' and the id, which may be the parameter d of the link that led there.
        coalesce(
            '=' || try(json_extract_string(events.properties, '/decision_id')),
            regexp_extract(
                regexp_extract(
                    coalesce(
                        try(json_extract_string(events.properties, '/url')),
                        try(json_extract_string(events.context, '/page/url'))
                    ),
                    '[?&]d=[0-9A-Za-z:_.-]+'
                ),
                '=[0-9A-Za-z:_.-]+'
            )
        ) as named,
        upper(try(json_extract_string(events.properties, '/coupon'))) as coupon,
        events.amount
    from measured as events
    left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
    left join identifiers as anonymous
        on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
        -- What happened before the login is the profile's only where the person consents to its use.
        and events.occurred_at_us >= anonymous.since_us
    where events.occurred_at_us >= $from_us and events.occurred_at_us < $to_us
),
-- Which of our sends was in which call, as the log was told when it was settled: a call has each of its users once.
sent as (
    select distinct
        user_id,
        try(json_extract_string(properties, '/dispatch_id')) as dispatch_id,
        try(json_extract_string(properties, '/decision_id')) as decision_id
    from events
    where event = 'Message Sent' and source_id = $ours and occurred_at_us >= $sent_from_us
        and try(json_extract_string(properties, '/use_case')) = $use_case
),
decided as (
    select decision_id, profile_id, variant, day, version, action, decided_at_us,
        -- The window begins on the day of the send, at the hour of the decision: so all windows are as long, and of
        -- the same hours, whichever hour or weekday was chosen.
        decided_at_us + 86400000000
            * coalesce(greatest(cast(floor((epoch_us(due_at) - decided_at_us) / 86400000000) as bigint), 0), 0) as began_at_us
    from decisions
    -- Nothing was sent of what was decided in shadow: it earned nothing.
    where use_case = $use_case and variant <> 'shadow'
),
carried as (
    select decided.decision_id, coupons.coupon
    from decided
    join coupons on coupons.version = decided.version and decided.action[coupons.position] = coupons.option
),
named as (
    select outcome.message_id, outcome.occurred_at_us, decided.decision_id, outcome.amount
    from outcome
    join decided on '=' || decided.decision_id = outcome.named and decided.profile_id = outcome.profile_id
    where outcome.occurred_at_us >= decided.decided_at_us
        and outcome.occurred_at_us < decided.began_at_us + $window_us
),
called as (
    select outcome.message_id, outcome.occurred_at_us, decided.decision_id, outcome.amount
    from outcome
    join sent on sent.user_id = outcome.user_id and sent.dispatch_id = outcome.dispatch_id
    join decided on decided.decision_id = sent.decision_id and decided.profile_id = outcome.profile_id
    where outcome.occurred_at_us >= decided.decided_at_us
        and outcome.occurred_at_us < decided.began_at_us + $window_us
        and not exists (select 1 from named where named.message_id = outcome.message_id)
),
followed as (
    select outcome.message_id, outcome.occurred_at_us, outcome.amount, decided.decision_id,
        row_number() over (
            partition by outcome.message_id
            order by case when carried.decision_id is null then 1 else 0 end,
                decided.began_at_us desc, decided.decided_at_us desc, decided.decision_id desc
        ) as place
    from outcome
    join decided on decided.profile_id = outcome.profile_id
    left join carried on carried.decision_id = decided.decision_id and carried.coupon = outcome.coupon
    where outcome.occurred_at_us >= decided.began_at_us
        and outcome.occurred_at_us < decided.began_at_us + $window_us
        and not exists (select 1 from named where named.message_id = outcome.message_id)
        and not exists (select 1 from called where called.message_id = outcome.message_id)
),
credit as (
    select message_id, occurred_at_us, decision_id, amount from named
    union all
    select message_id, occurred_at_us, decision_id, amount from called
    union all
    select message_id, occurred_at_us, decision_id, amount from followed where place = 1
),
counted as (
    select
        decision_id,
        amount,
        occurred_at_us,
        occurred_at_us // 86400000000 as utc_day,
        row_number() over (
            partition by decision_id order by occurred_at_us desc, message_id desc
        ) as place
    from credit
    -- What is no number, not finite or beyond any amount of money counts for nothing.
    where abs(amount) < 1e15
)
select
    $use_case as use_case,
    decided.day,
    decided.decision_id,
    decided.profile_id,
    decided.variant,
    case
        when $aggregate = 'sum' then coalesce(sum(counted.amount), 0.0)
        when $aggregate = 'unique_days' then cast(count(distinct counted.utc_day) as double)
        -- Of nothing there is no mean and no last one.
        when $aggregate = 'mean' then avg(counted.amount)
        else max(case when counted.place = 1 then counted.amount end)
    end as reward,
    $metric as metric,
    decided.began_at_us,
    min(counted.occurred_at_us) filter (where counted.amount > 0) as first_at_us,
    max(counted.occurred_at_us) filter (where counted.amount > 0) as last_at_us
from decided
left join counted on counted.decision_id = decided.decision_id
where decided.day >= cast($since as date) and decided.day <= cast($until as date)
group by decided.day, decided.decision_id, decided.profile_id, decided.variant, decided.began_at_us
order by decided.decision_id
