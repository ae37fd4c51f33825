-- Profiles with a user id: those that can be decided for and reached, each once.
select profile.profile_id, min(identifier.value) as user_id, profile.traits::text as traits
from profile
join identifier on identifier.profile_id = profile.profile_id and identifier.kind = 'user_id'
group by profile.profile_id
order by profile.profile_id
