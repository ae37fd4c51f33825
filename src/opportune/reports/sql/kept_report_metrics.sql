-- What was kept of the metrics of a report.
select metric, through, counted, groups
from report_metric
where use_case = %(use_case)s and version = %(version)s
order by metric
