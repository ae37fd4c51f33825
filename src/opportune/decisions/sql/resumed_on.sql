-- From which day on evidence counts: the one on which somebody let the use case go on.
select max(resumed_at) as resumed_at
from use_case_stop
where use_case = %(use_case)s
