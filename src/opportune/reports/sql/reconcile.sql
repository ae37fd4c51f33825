-- What we know of the messages of one use case, by day in UTC since 1970: accepted by Braze, and what people and machines did with them.
select
    day,
    count(*) filter (where event = 'Message Sent') as accepted,
    count(*) filter (where event = 'Message Sent By Braze') as sent,
    count(*) filter (where event = 'Message Opened') as opens,
    count(*) filter (where event = 'Message Opened' and machine_open = 'true') as machine_opens,
    count(*) filter (where event = 'Message Clicked') as clicks,
    count(*) filter (where event = 'Message Clicked' and suspected_bot = 'true') as machine_clicks,
    count(*) filter (where event = 'Message Unsubscribed') as unsubscribes,
    count(*) filter (where event = 'Message Bounced') as bounces
from (
    select
        cast(floor(occurred_at_us / 86400000000.0) as bigint) as day,
        event,
        properties ->> '$.use_case' as use_case,
        coalesce(properties ->> '$.campaign_id', properties ->> '$.canvas_id') as target,
        properties ->> '$.send_id' as send_id,
        properties ->> '$.machine_open' as machine_open,
        properties ->> '$.suspected_bot' as suspected_bot
    from events
    where received_at_us >= $first_us
        and occurred_at_us >= $first_us
        and occurred_at_us < $end_us
        and event in (
            'Message Sent', 'Message Sent By Braze', 'Message Opened', 'Message Clicked', 'Message Unsubscribed', 'Message Bounced'
        )
) as told
where (event = 'Message Sent' and use_case = $use_case) or (
    event <> 'Message Sent' and target = $target and (not $is_apart or list_contains($send_ids, send_id))
)
group by day
order by day
