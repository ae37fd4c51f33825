-- The rules of identity that were applied last, if any.
select body
from definition
where kind = 'settings' and name = 'identity'
order by version desc
limit 1
