-- Of how many of the audience something may be decided on one day, and of how many nothing, by reason.
select coalesce(reason, '') as reason, count(*) as profiles
from features
where use_case = $use_case and version = $version and day = cast($day as date)
group by coalesce(reason, '')
order by reason
