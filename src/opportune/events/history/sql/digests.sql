-- What stands in each row, as 32 hex digits.
select place, md5(value) as value
from cells
order by place
