-- Whom a destination was told to be in an audience: it is told nothing more of who is forgotten.
with gone as (
    delete from audience_published
    where identity_hash(kind, value) in (select old_id from forgotten) or value = any (%(exact)s)
    returning 1
)
select 'audience_published' as table_name, count(*)::int as rows
from gone
