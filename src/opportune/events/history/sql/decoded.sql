-- Cells of a file as texts; nothing where the bytes are not UTF-8.
select place, try(decode(value)) as value
from cells
order by place
