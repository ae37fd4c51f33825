-- How many people of a list have each value of a trait, the most frequent first, and how many have it in all.
with counted as (
    select person_text(%(sort)s::text, %(trait)s::text, found.traits) as value, count(*) as people
    from people_found(
        %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
        %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
    ) as found
    group by value
)
select counted.value, counted.people, sum(counted.people) over () as everybody
from counted
order by counted.value is null desc, counted.people desc, counted.value
limit %(rows)s
