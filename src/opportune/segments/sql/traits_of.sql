-- What is known of these profiles; those that are no more have no row.
select profile.profile_id, profile.traits::text as traits
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
join profile on profile.profile_id = asked.profile_id
