-- Whoever is gone came out of segments by it: nobody is to be looked at for that.
with gone as (
    delete from audience_touched
    where profile_id in (select old_id from forgotten)
    returning 1
)
select 'audience_touched' as table_name, count(*)::int as rows
from gone
