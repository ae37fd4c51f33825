-- The newest look at each guard rail of a use case.
select distinct on (metric, direction) day, metric, direction, allowed as "limit", days, look, recipients, affected, mean, m2
from guard_rail_look
where use_case = %(use_case)s
order by metric, direction, day desc
