-- Notes what became of rejects that were sent again; of several attempts the newest counts, and one that succeeded.
insert into reject_replay as known (source_id, received_at, index, code, sent_at, answered_at, outcome)
select distinct on (source_id, received_at_us, index, code)
    source_id, timestamptz 'epoch' + received_at_us * interval '1 microsecond', index, code,
    timestamptz 'epoch' + sent_at_us * interval '1 microsecond',
    timestamptz 'epoch' + sent_at_us * interval '1 microsecond', outcome
from jsonb_to_recordset(%(rows)s::jsonb) as given (
    source_id text, received_at_us bigint, index int, code text, sent_at_us bigint, outcome text
)
order by source_id, received_at_us, index, code, outcome, sent_at_us desc
on conflict (source_id, received_at, index, code) do update set
    sent_at = greatest(known.sent_at, excluded.sent_at),
    answered_at = greatest(known.answered_at, excluded.answered_at),
    outcome = case
        when known.outcome = 'accepted' or excluded.answered_at < known.answered_at then known.outcome
        else excluded.outcome
    end
