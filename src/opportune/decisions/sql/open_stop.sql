-- Whether a use case is stopped, and why.
select day, stopped_at, reason
from use_case_stop
where use_case = %(use_case)s and resumed_at is null
