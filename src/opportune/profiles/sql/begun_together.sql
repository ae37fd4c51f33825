-- New profiles of several identifiers.
select distinct profile_id
from arrival
where profile_id <> identifier_id
order by profile_id
