-- All profiles, each once; computed traits count before told ones.
select profile.profile_id, (profile.traits || coalesce(computed_trait.traits, '{}'))::text as traits
from profile
left join computed_trait on computed_trait.profile_id = profile.profile_id
order by profile.profile_id
