-- Which events of a batch a metric means.
with meant as (
    select message_id
    from measured
)
select message_id
from meant
order by message_id
