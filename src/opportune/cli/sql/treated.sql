-- Who was sent what on a day, to compare with the known truth.
select user_id, action
from decisions
where use_case = $use_case and day = cast($day as date) and variant = 'treatment'
order by user_id
