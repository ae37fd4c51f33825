-- Events that an import added: those with its mark, since it began.
select count(*) as count
from events
where received_at_us >= $began_us and context ->> '$.import.id' = $import_id
