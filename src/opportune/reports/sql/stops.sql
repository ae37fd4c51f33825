-- When guard rails stopped a use case, and who let it go on.
select day, stopped_at, reason, resumed_at, resumed_by
from use_case_stop
where use_case = %(use_case)s
order by stop_id
