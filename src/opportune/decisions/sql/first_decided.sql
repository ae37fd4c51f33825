-- The first day of a use case that was decided since a day.
select min(day) as day
from decisions
where use_case = $use_case and day >= cast($from_day as date)
order by day
