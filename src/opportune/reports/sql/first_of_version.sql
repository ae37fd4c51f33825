-- Since when something was decided of each profile in this version, up to a day, and when the last of it was.
select profile_id, variant, min(decided_at_us) as first_us, max(decided_at_us) as last_us
from decisions
where use_case = $use_case and version = $version and variant <> 'shadow' and day <= cast($day as date)
group by profile_id, variant
order by profile_id, variant
