-- What was seen of who is forgotten together with anybody.
with gone as (
    delete from identifier_link
    where owner_id in (select old_id from forgotten) or other_id in (select old_id from forgotten)
    returning 1
)
select 'identifier_link' as table_name, count(*)::int as rows
from gone
