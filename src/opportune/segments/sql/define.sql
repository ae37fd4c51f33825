-- The next version of a segment, unless it says the same as the newest one.
insert into definition (kind, name, version, body, created_at)
select 'segment', %(name)s, coalesce(max(version), 0) + 1, %(body)s::jsonb, %(now)s
from definition
where kind = 'segment' and name = %(name)s
having (array_agg(body order by version desc))[1] is distinct from %(body)s::jsonb
returning version
