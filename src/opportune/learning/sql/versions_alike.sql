-- The versions whose lessons mean the same as this one's.
select distinct version
from model
where use_case = %(use_case)s and version <= %(version)s and lessons = %(lessons)s::jsonb
order by version
