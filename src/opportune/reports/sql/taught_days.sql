-- The days that a policy of this version decided which had learned something, if they are not too long ago.
select day
from model
where use_case = %(use_case)s and version = %(version)s and (trained_through is not null or warm_start is not null)
order by day
