-- How many people of a list are between each two bounds of a column; those without a number have no place.
select width_bucket(keys.number_key, %(bounds)s::double precision[]) as place, count(*) as people
from people_found(
    %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
    %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
) as found
cross join lateral (
    select person_number(
        %(sort)s::text, %(trait)s::text, found.traits, found.first_seen_at, found.last_seen_at
    ) as number_key
) as keys
group by place
order by place
