-- Whose some decisions are now, and what became of what they send.
select wanted.decision_id, identifier.profile_id, identifier.value as user_id, coalesce(outbox.state, '') as state,
    coalesce(outbox.reason, '') as reason
from unnest(%(decision_ids)s::text[], %(profile_ids)s::bigint[]) as wanted (decision_id, identifier_id)
left join identifier on identifier.identifier_id = wanted.identifier_id
left join outbox on outbox.key = wanted.decision_id
order by wanted.decision_id
