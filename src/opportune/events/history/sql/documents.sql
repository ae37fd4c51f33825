-- Texts that are JSON themselves.
select place, case when json_valid(value) then value end as value
from cells
order by place
