-- How many people are in a list.
select count(*) as people
from people_found(
    %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
    %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
)
