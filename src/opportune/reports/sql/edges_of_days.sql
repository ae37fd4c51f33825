-- Which options went to whom on the newest days, as it was counted then.
select day, edges
from day_summary
where use_case = %(use_case)s and version = %(version)s and day >= %(since)s
order by day
