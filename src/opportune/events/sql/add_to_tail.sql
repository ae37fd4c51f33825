-- Adds the newest of a micro-batch to the tail and cuts the oldest off: it is a ring.
with cut as (
    delete from event_tail
    where place <= (select max(place) from event_tail) - %(ring)s
)
insert into event_tail (
    message_id, source_id, type, event, occurred_at, received_at, user_hint, anonymous_hint, user_hash, anonymous_hash,
    outcome, reason
)
select message_id, source_id, type, event,
    timestamptz 'epoch' + occurred_at_us * interval '1 microsecond',
    timestamptz 'epoch' + received_at_us * interval '1 microsecond',
    user_hint, anonymous_hint, identity_hash('user_id', user_id), identity_hash('anonymous_id', anonymous_id),
    outcome, reason
from rows from (jsonb_to_recordset(%(rows)s::jsonb) as (
    message_id text, source_id text, type text, event text, occurred_at_us bigint, received_at_us bigint,
    user_hint text, anonymous_hint text, user_id text, anonymous_id text, outcome text, reason text
)) with ordinality as given (
    message_id, source_id, type, event, occurred_at_us, received_at_us, user_hint, anonymous_hint, user_id, anonymous_id,
    outcome, reason, place
)
order by place
