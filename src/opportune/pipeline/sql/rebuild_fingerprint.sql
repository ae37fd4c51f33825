-- The settings that profiles follow from.
select coalesce(jsonb_agg(newest.body order by newest.name)::text, '') as definitions
from (
    select distinct on (name) name, body
    from definition
    where kind = 'settings'
    order by name, version desc
) as newest
