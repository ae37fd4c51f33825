-- Whose some profiles of the lake are now, and by what name.
select wanted.id, identifier.profile_id, identifier.value as user_id
from unnest(%(ids)s::bigint[]) as wanted (id)
left join identifier on identifier.identifier_id = wanted.id
order by wanted.id
