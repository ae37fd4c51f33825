-- Rejects of an import, which say its id.
select count(*) as count
from rejects
where source_id = $source_id and contains(reason, '(import ' || $import_id || ')')
