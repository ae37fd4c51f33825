-- What was given up, in the order in which it came to be.
select sequence,
    (message::json -> 'messageId') #>> '{}' as message_id,
    (message::json -> 'type') #>> '{}' as type,
    (message::json -> 'event') #>> '{}' as event,
    profile_id, reason, attempts, attempted_at, due_at
from outbox
where use_case = %(channel)s and state = 'failed' and sequence > %(after)s
order by sequence
limit %(limit)s
