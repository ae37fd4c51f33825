-- The identifier that is asked for, and its profile.
select identifier_id, profile_id
from identifier
where kind = %(kind)s and value = canonical_value(%(kind)s, %(value)s)
