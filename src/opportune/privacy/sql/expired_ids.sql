-- The ids of who expires: profiles and their identifiers.
select array_agg(id) as ids, (select count(*) from expired)::int as profiles
from (
    select profile_id as id from expired
    union
    select identifier.identifier_id from identifier join expired on expired.profile_id = identifier.profile_id
) as every
