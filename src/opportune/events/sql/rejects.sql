-- One page of rejects, the newest first, with what became of those that were sent again.
with reject as (
    -- One that was sent again and refused for the same code stands there twice.
    select source_id, received_at, index, code, max(message_id) as message_id, max(reason) as reason,
        max(payload) as payload
    from rejects
    where ($code is null or code = $code)
        and ($source is null or source_id = $source)
        and ($since_at is null or received_at >= $since_at)
        and ($before_at is null or received_at <= $before_at)
    group by source_id, received_at, index, code
),
told as (
    select source_id, received_at, index, code, message_id, reason, payload, try(payload ->> '/event') as event
    from reject
)
select told.source_id, told.received_at, told.index, told.code, told.message_id, told.reason,
    told.payload, told.event, sent.outcome, coalesce(sent.waiting, false) as waiting
from told
left join sent on sent.source_id = told.source_id and sent.received_at = told.received_at
    and sent.index = told.index and sent.code = told.code
where ($event is null or told.event = $event)
    and (not $open or coalesce(sent.outcome, '') <> 'accepted')
    and (
        $before_at is null or told.received_at < $before_at or told.source_id > $before_source
        or (
            told.source_id = $before_source
            and (told.index > $before_index or (told.index = $before_index and told.code > $before_code))
        )
    )
order by told.received_at desc, told.source_id, told.index, told.code
limit $rows
