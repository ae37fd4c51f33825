-- What is known of these profiles; those that are no more have no row. Computed traits count before told ones.
select profile.profile_id,
    (case when computed_trait.traits is null then profile.traits else profile.traits || computed_trait.traits end)::text
        as traits
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
join profile on profile.profile_id = asked.profile_id
left join computed_trait on computed_trait.profile_id = profile.profile_id
