-- Every user id as if it had never been seen with another identifier.
select identifier_id as profile_id, value as user_id,
    (
        select coalesce(jsonb_object_agg(trait.key, trait.value) filter (where trait.value <> 'null'), '{}')
        from jsonb_each(coalesce(told, '{}')) as said
        cross join lateral jsonb_each(said.value) as trait
    )::text as traits
from identifier
where kind = 'user_id'
order by identifier_id
