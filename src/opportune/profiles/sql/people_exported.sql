-- Everybody of a list with up to six traits, for a file.
select found.profile_id,
    (
        select min(identifier.value) from identifier
        where identifier.profile_id = found.profile_id and identifier.kind = 'user_id'
    ) as user_id,
    iso_time((extract(epoch from found.first_seen_at) * 1000000)::bigint) as first_seen_at,
    iso_time((extract(epoch from found.last_seen_at) * 1000000)::bigint) as last_seen_at,
    found.traits ->> (%(columns)s::text[])[1] as trait_1,
    found.traits ->> (%(columns)s::text[])[2] as trait_2,
    found.traits ->> (%(columns)s::text[])[3] as trait_3,
    found.traits ->> (%(columns)s::text[])[4] as trait_4,
    found.traits ->> (%(columns)s::text[])[5] as trait_5,
    found.traits ->> (%(columns)s::text[])[6] as trait_6
from people_found(
    %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
    %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
) as found
order by found.profile_id
limit %(rows)s
