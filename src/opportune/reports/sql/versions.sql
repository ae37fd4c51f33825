-- What each version of a use case said, and since when.
select version, body, created_at
from definition
where kind = 'use_case' and name = %(use_case)s
order by version
