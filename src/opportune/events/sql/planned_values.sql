-- The texts in the fields whose values, and not only types, a tracking plan judges.
with message as (
    select place, source_id, type, coalesce(event, type) as event, try_cast(document as json) as document
    from batch
)
select asked.field, message.place, json_extract_string(message.document, asked.pointer) as text
from message
join asked on asked.source_id = message.source_id and asked.type = message.type and asked.event = message.event
where json_type(message.document, asked.pointer) = 'VARCHAR'
order by asked.field, message.place
