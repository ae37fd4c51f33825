-- Profiles with a user id: those that can be decided for and reached, each once; computed traits count before told ones.
select profile.profile_id, min(identifier.value) as user_id,
    (case when computed_trait.traits is null then profile.traits else profile.traits || computed_trait.traits end)::text
        as traits
from profile
join identifier on identifier.profile_id = profile.profile_id and identifier.kind = 'user_id'
left join computed_trait on computed_trait.profile_id = profile.profile_id
group by profile.profile_id, computed_trait.profile_id
order by profile.profile_id
