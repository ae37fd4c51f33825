-- The rules of consent that were applied last.
select body
from definition
where kind = 'settings' and name = 'consent'
order by version desc
limit 1
