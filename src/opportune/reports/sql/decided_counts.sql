-- How many decisions each day of a version has: whether what was summed up of it still holds.
select day, count(*) as decisions
from decisions
where use_case = $use_case and version = $version and variant <> 'shadow'
group by day
order by day
