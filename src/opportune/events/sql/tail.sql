-- The newest rows of the tail past a place, of a source, an event or a person.
select place, message_id, source_id, type, event, occurred_at, received_at, user_hint, anonymous_hint,
    coalesce(user_hash, anonymous_hash) as identifier_id, outcome, reason
from event_tail
where place > %(after)s
    and (%(source)s::text is null or source_id = %(source)s)
    and (%(event)s::text is null or event = %(event)s or (event is null and type = %(event)s))
    and (
        %(user)s::text is null
        or user_hash = identity_hash('user_id', %(user)s)
        or anonymous_hash = identity_hash('anonymous_id', %(user)s)
    )
    and (outcome <> 'left_out' or (%(event)s::text is null and %(user)s::text is null))
order by place desc
limit %(rows)s
