-- Notes that rejects were put into the log again; what ingest may have noted meanwhile stays.
insert into reject_replay as known (source_id, received_at, index, code, sent_at)
select source_id, timestamptz 'epoch' + received_at_us * interval '1 microsecond', index, code,
    timestamptz 'epoch' + sent_at_us * interval '1 microsecond'
from jsonb_to_recordset(%(rows)s::jsonb) as given (
    source_id text, received_at_us bigint, index int, code text, sent_at_us bigint
)
order by source_id, received_at_us, index, code
on conflict (source_id, received_at, index, code) do update set sent_at = greatest(known.sent_at, excluded.sent_at)
