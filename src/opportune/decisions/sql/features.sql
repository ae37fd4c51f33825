-- The features and eligibility rules of a use case, a column each; the columns are written by the compiler.
select profile_id, user_id/*columns*/
from known
semi join audience using (profile_id)
order by profile_id
