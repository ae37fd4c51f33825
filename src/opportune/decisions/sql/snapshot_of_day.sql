-- The snapshot that a day was or will be decided from by one version of the use case: of those who may get any action.
select profile_id, user_id, "values", eligible, version, forbidden, recent, zone
from features
where use_case = $use_case and day = cast($day as date) and version = $version and reason is null
order by profile_id
