-- The profiles that a segment's rule holds for; the rule is compiled, its values are bound parameters.
select distinct profile_id
from profiles
where {rule}
order by profile_id
