-- What each use case may do since when, and who said so; one that is not there was never told, and is live.
select distinct on (use_case) use_case, state, changed_at, changed_by
from use_case_state
order by use_case, change_id desc
