-- What was decided in shadow, of which nothing was sent: on how many days, how often, and when last.
select count(distinct day) as days, count(*) as decisions, max(day) as last_day
from decisions
where use_case = $use_case and version = $version and variant = 'shadow'
order by days
