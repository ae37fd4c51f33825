-- Send what was given up as if it had never been tried; a time of now, or it would be too old at once.
with again as (
    update outbox set
        state = 'pending', reason = null, attempts = 0, attempted_at = null, leased_until = '-infinity', due_at = %(now)s
    where use_case = %(channel)s and state = 'failed'
        and (%(every)s or (message::json -> 'messageId') #>> '{}' = any (%(message_ids)s))
    returning key
)
select count(*)::int as count
from again
