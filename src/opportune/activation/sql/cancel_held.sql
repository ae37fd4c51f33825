-- What was held so long that it would come too late is not sent any more.
with cancelled as (
    update outbox set state = 'failed', reason = %(reason)s
    where use_case = any (%(use_cases)s) and state = 'pending' and due_at < %(before)s
    returning key
)
select count(*)::int as count
from cancelled
