-- Rows of the tail about who is forgotten.
with gone as (
    delete from event_tail
    where user_hash in (select old_id from forgotten) or anonymous_hash in (select old_id from forgotten)
        or message_id = any (%(exact)s) or message_id ~ %(pattern)s or message_id ~* %(folded)s
        or event ~ %(pattern)s or reason ~ %(pattern)s or reason ~* %(folded)s
    returning 1
)
select 'event_tail' as table_name, count(*)::int as rows
from gone
