-- Who has done what the message was to ask for is not asked any more.
with ended as (
    update outbox set state = 'failed', reason = %(reason)s
    from happened
    where outbox.user_id = happened.user_id and outbox.state = 'pending' and outbox.ends_on is not null
        and happened.event = any (outbox.ends_on) and happened.occurred_at >= outbox.ends_from
    returning outbox.key
)
select count(*)::int as count
from ended
