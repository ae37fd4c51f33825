-- When traits were computed of events last.
select as_of
from computed_as_of
order by as_of desc
limit 1
