-- The next version of a definition, unless it says the same as the newest one and means the same, too.
insert into definition (kind, name, version, body, created_at, created_by)
select %(kind)s, %(name)s, coalesce(max(version), 0) + 1, %(body)s::jsonb, %(now)s, %(by)s
from definition
where kind = %(kind)s and name = %(name)s
having %(renew)s or (array_agg(body order by version desc))[1] is distinct from %(body)s::jsonb
returning version
