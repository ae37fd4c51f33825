-- Of those who are made anonymous: the profile without what says who it was.
create temporary table kept_profile on commit drop as
select forgotten.new_id as profile_id, forgotten.new_value, profile.first_seen_at, profile.last_seen_at,
    (
        select coalesce(jsonb_object_agg(trait.key, trait.value), '{}')
        from jsonb_each(profile.traits) as trait
        where trait.key = any (%(traits)s) and jsonb_typeof(trait.value) in ('number', 'boolean')
    ) as traits
from forgotten
join profile on profile.profile_id = forgotten.old_id
where not forgotten.erases
