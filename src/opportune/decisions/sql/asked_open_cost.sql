-- What answers may cost that the lake does not have yet.
select coalesce(sum(cost), 0)::bigint as cost
from asked_decision
where use_case = %(use_case)s and kept_at is null
