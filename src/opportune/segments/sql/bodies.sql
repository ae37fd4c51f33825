-- What every segment says now.
select distinct on (name) name, version, body, created_at
from definition
where kind = 'segment'
order by name, version desc
