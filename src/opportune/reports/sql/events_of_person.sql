-- The newest events of one profile before a moment, from those parts of the table in which there may be any.
select events.occurred_at_us, events.message_id, events.source_id, events.type, events.event, events.properties
from events
join holders on holders.who = case
    when events.user_id is not null then 'user_id:' || events.user_id else 'anonymous_id:' || events.anonymous_id
end
where events.occurred_at_us between $from_us and $before_us
    and events.occurred_at_us >= holders.since_us
    and (events.occurred_at_us < $before_us or events.message_id < $before_id)
    and (
        events.received_at_us between $from_0 and $to_0
        or events.received_at_us between $from_1 and $to_1
        or events.received_at_us between $from_2 and $to_2
        or events.received_at_us between $from_3 and $to_3
        or events.received_at_us between $from_4 and $to_4
        or events.received_at_us between $from_5 and $to_5
        or events.received_at_us between $from_6 and $to_6
        or events.received_at_us between $from_7 and $to_7
    )
order by events.occurred_at_us desc, events.message_id desc
limit $wanted
