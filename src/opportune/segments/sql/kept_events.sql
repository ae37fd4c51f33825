-- What a rule looks back at of all that happened.
select events.type, events.event, events.user_id, events.anonymous_id, events.occurred_at_us, events.message_id,
    events.properties
from events
where events.occurred_at_us >= $low_us
    and (
        $every
        or case events.type when 'page' then 'Page Viewed' when 'screen' then 'Screen Viewed' else events.event end
            in (select event from wanted)
    )
order by events.occurred_at_us, events.message_id
