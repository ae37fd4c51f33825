-- What each profile of a version earned over all days that were added up, as it was written last.
select profile_id, variant, reward, net, earlier, through
from profile_totals
where use_case = $use_case and version = $version and generation = $generation
order by profile_id, variant
