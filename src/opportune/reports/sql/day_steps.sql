-- How long each step of the newest runs took.
select day, step, seconds
from day_step
where use_case = %(use_case)s and day > (select max(day) from day_step where use_case = %(use_case)s) - %(days)s::int
order by day, place, step
