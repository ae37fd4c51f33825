-- The definitions that profiles follow from.
select coalesce(jsonb_agg(newest.body order by newest.kind, newest.name)::text, '') as definitions
from (
    select distinct on (kind, name) kind, name, body
    from definition
    where kind in ('identity', 'consent')
    order by kind, name, version desc
) as newest
