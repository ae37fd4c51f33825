-- The events of a person, in the order in which they happened.
select events.message_id, events.source_id, events.type, events.event, events.user_id, events.anonymous_id,
    events.occurred_at, events.received_at, events.properties, events.traits, events.context
from events
left join asked as known on known.kind = 'user_id' and known.value = events.user_id
left join asked as anonymous
    on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
where coalesce(known.value, anonymous.value) is not null
order by events.occurred_at_us, events.message_id
