-- Profiles that are there from now on; what they are follows from their identifiers.
insert into profile (profile_id, first_seen_at, last_seen_at)
select distinct profile_id, to_timestamp(0), to_timestamp(0)
from moved
order by profile_id
on conflict (profile_id) do nothing
