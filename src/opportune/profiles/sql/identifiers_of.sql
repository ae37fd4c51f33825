-- The identifiers of the profile that has this one.
select here.identifier_id, here.kind, here.value, here.profile_id, here.linked_at
from identifier as asked
join identifier as here on here.profile_id = asked.profile_id
where asked.kind = %(kind)s and asked.value = canonical_value(%(kind)s, %(value)s)
order by here.linked_at, here.kind, here.value
