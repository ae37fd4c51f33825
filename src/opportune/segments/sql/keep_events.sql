-- New events that are looked back at; one that is kept already stays as it is.
insert into live_event (identifier_id, occurred_at_us, message_id, event, properties)
select identity_hash(kind, value), occurred_at_us, message_id, event, properties
from noted
on conflict do nothing
