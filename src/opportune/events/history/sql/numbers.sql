-- Texts as numbers, as people write money: 1234.5, 1,234.50, €12 or, with a decimal comma, 1.234,50.
with bare as (
    select place, regexp_replace(value, '^[\s€$£¥]+|[\s€$£¥]+$', '', 'g') as value
    from cells
),

pointed as (
    select
        place,
        case
            when $decimal = ',' and regexp_full_match(value, '[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?')
                then replace(replace(value, '.', ''), ',', '.')
            when $decimal = '.' and regexp_full_match(value, '[+-]?\d{1,3}(,\d{3})+(\.\d+)?')
                then replace(value, ',', '')
            when $decimal = '.' and regexp_full_match(value, '[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?')
                then value
        end as value
    from bare
),

numbers as (
    select place, try_cast(value as double) as value
    from pointed
)

select place, case when isfinite(value) then cast(to_json(value) as varchar) end as value
from numbers
order by place
