-- The newest versions of all computed traits.
select distinct on (name) name, version, body
from definition
where kind = 'computed_trait'
order by name, version desc
