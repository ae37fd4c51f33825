-- Let a use case go on; no row where it was not stopped.
update use_case_stop
set resumed_at = %(now)s, resumed_by = %(by)s
where use_case = %(use_case)s and resumed_at is null
returning day, stopped_at, reason
