-- What became of the rejects that were sent again.
select source_id, (extract(epoch from received_at) * 1000000)::bigint, index, code, outcome,
    sent_at > coalesce(answered_at, '-infinity')
from reject_replay
order by source_id, received_at, index, code
