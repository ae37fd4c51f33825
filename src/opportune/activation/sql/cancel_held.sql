-- What was held so long that it would come too late is not sent any more. What a receiver holds comes back here, so that
-- it waits with the rest.
with cancelled as (
    update outbox set state = 'failed', reason = %(reason)s
    where use_case = any (%(use_cases)s) and state = 'pending' and due_at < %(before)s
    returning key
),
recalled as (
    update outbox set recall = ''
    where use_case = any (%(use_cases)s) and state = 'scheduled' and recall is null
)
select count(*)::int as count
from cancelled
