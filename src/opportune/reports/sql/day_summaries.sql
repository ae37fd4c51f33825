-- What the days of a version came to, oldest first.
select day, decisions, variants, choices, earned, totals, audience, calibration
from day_summary
where use_case = %(use_case)s and version = %(version)s
order by day
