-- What an operator decided about sends. An ambiguous one is settled by the worker, which writes what came of it to the
-- log; one that failed begins anew, unless its person refused.
with chosen as (
    select key, state
    from outbox
    where message is null and key = any (%(keys)s)
        and (
            state = 'unknown'
            or (state = 'failed' and %(choice)s = 'send_again' and not withdrawn and reason <> all (%(refused)s))
        )
    order by key
    for update
),
changed as (
    update outbox set
        choice = case when chosen.state = 'unknown' then %(choice)s end,
        chosen_by = %(by)s,
        chosen_at = %(now)s,
        leased_until = '-infinity',
        state = case when chosen.state = 'failed' then 'pending' else chosen.state end,
        reason = case when chosen.state = 'unknown' then outbox.reason end,
        attempts = case when chosen.state = 'failed' then 0 else outbox.attempts end,
        attempted_at = case when chosen.state = 'unknown' then outbox.attempted_at end,
        dispatch_id = case when chosen.state = 'unknown' then outbox.dispatch_id end,
        first_attempted_at = case when chosen.state = 'unknown' then outbox.first_attempted_at end,
        evidence = case when chosen.state = 'unknown' then outbox.evidence end,
        held_until = case when chosen.state = 'unknown' then outbox.held_until end,
        schedule_id = case when chosen.state = 'unknown' then outbox.schedule_id end,
        recall = case when chosen.state = 'unknown' then outbox.recall end,
        recalled_at = case when chosen.state = 'unknown' then outbox.recalled_at end,
        reopened = outbox.reopened + (chosen.state = 'failed')::int
    from chosen
    where outbox.key = chosen.key
    returning outbox.key
)
select key
from changed
order by key
