-- What was known of the customers that are held out, as a policy would see them on their day.
select user_id, "values", eligible
from features
where use_case = $use_case and day = cast($day as date)
order by profile_id
