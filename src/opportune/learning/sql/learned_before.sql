-- The newest model with rewards in it that a version has or would go on from.
select version, day, warm_start
from model
where use_case = %(use_case)s and version > 0 and trained_through is not null
    and (version = %(version)s or version < %(version)s and learner = %(learner)s::jsonb)
order by version desc, day desc
limit 1
