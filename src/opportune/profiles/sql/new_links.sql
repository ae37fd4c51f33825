-- Links that have to be folded, with the profiles they touch and what of them came with this batch; and profiles in
-- which an earlier first mention alone may change who is first among several identifiers of a kind.
with tangled as materialized (
    select candidate.owner_id, candidate.other_id, candidate.occurred_at_us
    from candidate
    left join arrival on arrival.identifier_id = candidate.other_id and arrival.profile_id = candidate.owner_id
    where arrival.identifier_id is null
)
select owner.profile_id as owner_profile_id, other.profile_id as other_profile_id, tangled.occurred_at_us,
    owner_arrival.identifier_id as owner_arrived_id, other_arrival.identifier_id as other_arrived_id
from tangled
join identifier as owner on owner.identifier_id = tangled.owner_id
join identifier as other on other.identifier_id = tangled.other_id
left join arrival as owner_arrival on owner_arrival.identifier_id = tangled.owner_id
left join arrival as other_arrival on other_arrival.identifier_id = tangled.other_id
union all
select named.profile_id, named.profile_id, 9223372036854775807, null, null
from named
where named.sighted_earlier
    and exists (
        select from identifier as twin
        where twin.profile_id = named.profile_id and twin.kind = named.kind and twin.value <> named.value
    )
