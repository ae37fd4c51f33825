-- The identifiers of these profiles.
select identifier_id, kind, value, profile_id, coalesce(sighted_at_us, 0) as sighted_at_us,
    (extract(epoch from linked_at) * 1000000)::bigint as linked_at_us
from identifier
where profile_id = any (%(profiles)s::bigint[])
order by identifier_id
