-- What became of each send, as a batch. The lease says whose turn it is: an answer that comes after another
-- worker took the row over changes nothing, unless it says that the send was accepted. Settled stays settled.
update outbox set
    -- Consent went while somebody was called: not to be tried again.
    -- Or it was seen to go out meanwhile: only to be put down as sent.
    state = case
        when result.state = 'pending' and outbox.evidence is not null then 'unknown'
        when result.state = 'pending' and (outbox.withdrawn or outbox.recall <> '') then 'failed'
        else result.state
    end,
    reason = case
        when result.state = 'pending' and outbox.withdrawn then 'consent_withdrawn'
        when result.state = 'pending' and outbox.recall <> '' then outbox.recall
        else result.reason
    end,
    dispatch_id = coalesce(result.dispatch_id, outbox.dispatch_id),
    schedule_id = case when result.state <> 'pending' then coalesce(result.schedule_id, outbox.schedule_id) end,
    -- Seen meanwhile, it is still of the call that had it held.
    held_until = case when result.state <> 'pending' or outbox.evidence is not null then outbox.held_until end,
    recall = nullif(outbox.recall, case when result.state = 'pending' then '' end),
    attempts = outbox.attempts - result.uncounted,
    choice = null,
    leased_until = clock_timestamp() + make_interval(secs => result.wait_s)
from json_to_recordset(%(deliveries)s::json) as result (
    key text, state text, reason text, dispatch_id text, schedule_id text, wait_s float8, uncounted int,
    leased_until timestamptz
)
where outbox.key = result.key and (
    (outbox.state in ('reserved', 'scheduled', 'unknown') and outbox.leased_until = result.leased_until)
    or (outbox.state in ('pending', 'reserved', 'scheduled', 'unknown') and result.state = 'sent')
    or (outbox.state in ('pending', 'reserved', 'unknown') and result.state = 'scheduled')
)
returning outbox.key
