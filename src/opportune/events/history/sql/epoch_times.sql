-- Numbers that count from 1970 in some unit, as microseconds; nothing beyond what a lake's time can be.
with scaled as (
    select place, try_cast(cast(value as varchar) as decimal(26, 6)) as value
    from cells
)

select
    place,
    case
        when abs(value) < 400000000000000000 / cast($unit_us as bigint) then cast(round(value * $unit_us) as bigint)
    end as value
from scaled
order by place
