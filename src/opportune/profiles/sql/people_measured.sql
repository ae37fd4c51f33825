-- How far the numbers of a column go over the people of a list, and how many have none.
select count(*) as people, count(keys.number_key) as numbers, min(keys.number_key) as lowest, max(keys.number_key) as highest,
    bool_and(keys.number_key = floor(keys.number_key)) as whole
from people_found(
    %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
    %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
) as found
cross join lateral (
    select person_number(
        %(sort)s::text, %(trait)s::text, found.traits, found.first_seen_at, found.last_seen_at
    ) as number_key
) as keys
