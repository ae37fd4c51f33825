-- What every definition says now.
select distinct on (kind, name) kind, name, version, body
from definition
order by kind, name, version desc
