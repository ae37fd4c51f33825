-- Who has done what the message was to ask for is not asked any more: what waits here is over, what a receiver holds, or
-- may hold, is to be taken back and is never sent again.
with ended as (
    update outbox set
        state = case when outbox.state = 'pending' then 'failed' else outbox.state end,
        reason = case when outbox.state = 'pending' then %(reason)s else outbox.reason end,
        recall = case when outbox.state <> 'pending' then %(reason)s end
    from happened
    where outbox.user_id = happened.user_id and outbox.state in ('pending', 'reserved', 'scheduled', 'unknown')
        and outbox.ends_on is not null
        and (outbox.state = 'pending' or (outbox.held_until is not null and coalesce(outbox.recall, '') = ''))
        and happened.event = any (outbox.ends_on) and happened.occurred_at >= outbox.ends_from
    returning outbox.key
)
select count(*)::int as count
from ended
