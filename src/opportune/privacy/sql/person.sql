-- Every identifier of the profile that has this one; of one that State does not know, itself.
select every.kind, every.value, every.identifier_id, every.profile_id
from identifier as asked
join identifier as every on every.profile_id = asked.profile_id
where asked.kind = %(kind)s and asked.value = %(value)s
union
select %(kind)s, %(value)s, identity_hash(%(kind)s, %(value)s), identity_hash(%(kind)s, %(value)s)
order by kind, value
