-- What each version of a use case said, since when, and who wrote it.
select version, body, created_at, created_by
from definition
where kind = 'use_case' and name = %(use_case)s
order by version
