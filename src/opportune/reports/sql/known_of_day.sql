-- What was known when the day's run made one decision.
select "values", eligible, forbidden, recent
from features
where use_case = $use_case and version = $version and day = cast($day as date) and profile_id = $profile_id
order by profile_id
