-- New identifiers, and the profile that each begins in. Whoever is linked to nothing but new identifiers that nobody
-- else names is one profile with them at once; all others begin alone.
create temporary table arrival on commit drop as
with named_by as (
    select other_id, count(*) as owners
    from candidate
    group by other_id
),
simple as (
    select candidate.owner_id
    from candidate
    join named as owner on owner.identifier_id = candidate.owner_id
    join named as other on other.identifier_id = candidate.other_id
    join named_by on named_by.other_id = candidate.other_id
    left join named_by as above on above.other_id = candidate.owner_id
    left join (select distinct owner_id from candidate) as below on below.owner_id = candidate.other_id
    group by candidate.owner_id
    having bool_and(
            owner.profile_id is null and other.profile_id is null and owner.kind <> other.kind
            and named_by.owners = 1 and above.other_id is null and below.owner_id is null
        )
        and count(*) = count(distinct other.kind)
        and count(*) < %(most_identifiers)s
),
linked as (
    select candidate.other_id, candidate.owner_id, candidate.occurred_at_us
    from candidate
    join simple on simple.owner_id = candidate.owner_id
)
select named.identifier_id, named.kind, named.value, named.sighted_at_us, named.first_seen_at_us, named.last_seen_at_us,
    named.told,
    coalesce(linked.owner_id, named.identifier_id) as profile_id,
    coalesce(linked.occurred_at_us, named.sighted_at_us) as linked_at_us
from named
left join linked on linked.other_id = named.identifier_id
where named.profile_id is null
