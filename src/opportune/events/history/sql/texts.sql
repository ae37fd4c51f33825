-- Cells of any type as JSON.
select place, cast(to_json(value) as varchar) as value
from cells
order by place
