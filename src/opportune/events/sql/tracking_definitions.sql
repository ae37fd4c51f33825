-- The newest tracking plans and classes of fields.
select distinct on (kind, name) kind, name, version, body
from definition
where kind in ('settings', 'tracking_plan')
order by kind, name, version desc
