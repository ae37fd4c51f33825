-- What people decided, as the log has it.
select event, source_id, user_id, anonymous_id, received_at_us, properties
from events
where source_id = 'opportune' and user_id is null and anonymous_id is null
    and event in ('Identity Cut', 'Identity Decided')
