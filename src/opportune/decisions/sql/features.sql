-- The features and eligibility rules of a use case, a column each; the columns are written by the compiler. People who
-- only test are in no group. A profile's traits are read once, at all places together.
select profile_id, user_id/*columns*/
from (
    select profile_id, user_id, traits, try(json_extract_string(traits, $places)) as told
    from known
    semi join audience using (profile_id)
) as asked
where coalesce(told[1], 'false') <> 'true'
order by profile_id
