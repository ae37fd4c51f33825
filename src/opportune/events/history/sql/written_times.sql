-- Texts written by a pattern, as microseconds since 1970; they are local time of the zone.
select place, epoch_us(timezone($zone, try_strptime(value, $format))) as value
from cells
order by place
