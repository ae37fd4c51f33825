-- ISO 8601 texts as microseconds since 1970; one without an offset is local time of the zone.
select
    place,
    case
        when not regexp_matches(value, '^\s*\d{4}-\d{2}-\d{2}') then null
        when regexp_matches(value, '\d:\d{2}.*([zZ]|[+-]\d{2}(:?\d{2})?)\s*$') then epoch_us(try_cast(value as timestamptz))
        else epoch_us(timezone($zone, try_cast(value as timestamp)))
    end as value
from cells
order by place
