-- The features and eligibility rules of a use case, a column each; the columns are written by the compiler. People who
-- only test are in no group.
select profile_id, user_id/*columns*/
from known
semi join audience using (profile_id)
where coalesce(try(json_extract_string(traits, '/test_person')), 'false') <> 'true'
order by profile_id
