-- Days whose rewards the model has not seen.
select distinct day
from rewards
where use_case = $use_case and day > cast($after as date) and day < cast($before as date)
order by day
