-- Events of a span of time that may say something of consent, or of an account.
select events.message_id, events.source_id, events.type, events.event, events.user_id, events.anonymous_id,
    events.occurred_at_us, events.properties, events.traits, events.context
from events
where events.received_at_us between $low_us and $high_us
    and (
        events.event = $event
        or contains(coalesce(events.context, ''), '"categoryPreferences"')
        or events.type = 'group'
        or (events.type = 'identify' and events.traits is not null)
    )
order by events.received_at_us, events.message_id
