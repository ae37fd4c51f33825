-- What a version without a model of its own goes on from: the newest of an older one that learns in the same way.
select version, day, trained_through, body, warm_start, provisional, waiting
from model
where use_case = %(use_case)s and version < %(version)s and day <= %(day)s and learner = %(learner)s::jsonb
order by version desc, day desc
limit 1
