-- The newest version of every destination.
select distinct on (name) name, version, body
from definition
where kind = 'destination'
order by name, version desc
