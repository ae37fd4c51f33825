-- All profiles, each once; computed traits count before told ones.
select profile.profile_id,
    (case when computed_trait.traits is null then profile.traits else profile.traits || computed_trait.traits end)::text
        as traits
from profile
left join computed_trait on computed_trait.profile_id = profile.profile_id
order by profile.profile_id
