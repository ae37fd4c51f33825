-- Texts as whole numbers.
select
    place,
    case
        when regexp_full_match(value, '\s*[+-]?\d{1,18}\s*') then cast(try_cast(value as bigint) as varchar)
    end as value
from cells
order by place
