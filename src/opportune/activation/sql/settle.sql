-- What became of each send, as a batch. The lease says whose turn it is: an answer that comes after another
-- worker took the row over changes nothing, unless it says that the send was accepted. Settled stays settled.
update outbox set
    -- Consent went while somebody was called: not to be tried again.
    -- Or it was seen to go out meanwhile: only to be put down as sent.
    state = case
        when result.state = 'pending' and outbox.evidence is not null then 'unknown'
        when result.state = 'pending' and outbox.withdrawn then 'failed'
        else result.state
    end,
    reason = case when result.state = 'pending' and outbox.withdrawn then 'consent_withdrawn' else result.reason end,
    dispatch_id = coalesce(result.dispatch_id, outbox.dispatch_id),
    attempts = outbox.attempts - result.uncounted,
    choice = null,
    leased_until = clock_timestamp() + make_interval(secs => result.wait_s)
from json_to_recordset(%(deliveries)s::json) as result (
    key text, state text, reason text, dispatch_id text, wait_s float8, uncounted int, leased_until timestamptz
)
where outbox.key = result.key and (
    (outbox.state in ('reserved', 'unknown') and outbox.leased_until = result.leased_until)
    or (outbox.state in ('pending', 'reserved', 'unknown') and result.state = 'sent')
)
returning outbox.key
