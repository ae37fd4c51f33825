-- All profiles, each once.
select profile_id, traits::text as traits
from profile
order by profile_id
