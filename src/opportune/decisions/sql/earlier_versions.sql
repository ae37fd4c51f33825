-- The definitions by which a use case was decided before.
select version, body
from definition
where kind = 'use_case' and name = %(name)s and version < %(version)s
order by version
