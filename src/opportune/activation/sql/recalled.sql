-- What became of asking for it back. What was taken back without a reason of its own waits again as if it had never
-- been handed over.
update outbox set
    state = result.state,
    reason = result.reason,
    recall = case when result.state <> 'pending' then outbox.recall end,
    recalled_at = case when result.state <> 'pending' then result.recalled_at end,
    held_until = case when result.state <> 'pending' then outbox.held_until end,
    schedule_id = case when result.state <> 'pending' then outbox.schedule_id end,
    dispatch_id = case when result.state <> 'pending' then outbox.dispatch_id end,
    attempts = case when result.state <> 'pending' then outbox.attempts else 0 end,
    attempted_at = case when result.state <> 'pending' then outbox.attempted_at end,
    first_attempted_at = case when result.state <> 'pending' then outbox.first_attempted_at end,
    leased_until = clock_timestamp() + make_interval(secs => result.wait_s)
from json_to_recordset(%(results)s::json) as result (
    key text, state text, reason text, recalled_at timestamptz, wait_s float8, leased_until timestamptz
)
where outbox.key = result.key and outbox.state = 'scheduled' and outbox.leased_until = result.leased_until
returning outbox.key
