-- The rejects of these ids, with what became of those that were sent again.
with reject as (
    select rejects.source_id, rejects.received_at, rejects.index, rejects.code, max(rejects.message_id) as message_id,
        max(rejects.reason) as reason, max(rejects.payload) as payload
    from rejects
    join chosen on chosen.source_id = rejects.source_id and chosen.received_at = rejects.received_at
        and chosen.index = rejects.index and chosen.code = rejects.code
    group by rejects.source_id, rejects.received_at, rejects.index, rejects.code
)
select reject.source_id, reject.received_at, reject.index, reject.code, reject.message_id, reject.reason,
    reject.payload, try(reject.payload ->> '/event') as event, sent.outcome, coalesce(sent.waiting, false) as waiting
from reject
left join sent on sent.source_id = reject.source_id and sent.received_at = reject.received_at
    and sent.index = reject.index and sent.code = reject.code
order by reject.received_at desc, reject.source_id, reject.index, reject.code
