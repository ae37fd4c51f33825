-- Every change of the state of a use case, the newest first.
select use_case, state, changed_at, changed_by
from use_case_state
where use_case = %(use_case)s
order by change_id desc
limit %(most)s
