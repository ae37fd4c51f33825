-- Old events that a new rule looks back at; of those that are kept already, with what it reads of them.
insert into live_event (identifier_id, occurred_at_us, message_id, event, properties)
select distinct on (identity_hash(kind, value), occurred_at_us, message_id)
    identity_hash(kind, value), occurred_at_us, message_id, event, properties
from noted
order by identity_hash(kind, value), occurred_at_us, message_id
on conflict (identifier_id, occurred_at_us, message_id) do update set properties = excluded.properties
where live_event.properties is distinct from excluded.properties
