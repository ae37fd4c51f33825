-- Texts as true and false.
select
    place,
    case
        when lower(trim(value)) in ('true', 't', 'yes', 'y', '1') then 'true'
        when lower(trim(value)) in ('false', 'f', 'no', 'n', '0') then 'false'
    end as value
from cells
order by place
