-- The profiles that these identifiers mean.
select distinct identifier.profile_id
from lively
join identifier on identifier.kind = lively.kind and identifier.value = lively.value
