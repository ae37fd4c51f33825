-- The snapshot that a day was or will be decided from by one version of the use case.
select profile_id, user_id, "values", eligible, version
from features
where use_case = $use_case and day = cast($day as date) and version = $version
order by profile_id
