-- The model to go on from: the newest of this version that is not from a later day.
select version, day, trained_through, body, warm_start, provisional, waiting
from model
where use_case = %(use_case)s and version = %(version)s and day <= %(day)s
order by day desc
limit 1
