-- The identify calls of one campaign as they stand in the lake, for profiles that are not known yet.
select message_id, source_id, type, event, user_id, anonymous_id, occurred_at_us, received_at, properties, traits, context
from events
where source_id = $source_id and type = 'identify'
order by message_id
