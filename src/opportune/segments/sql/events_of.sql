-- What these profiles did, as far as a rule looks back: the events that name an identifier of theirs, since the login
-- where the past is to be kept apart. Looked up row by row: as joins, each batch would read whole tables.
select profile.profile_id, kept.event, kept.occurred_at_us, kept.message_id, kept.properties
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
cross join lateral (
    select profile.profile_id, profile.past_apart
    from profile
    where profile.profile_id = asked.profile_id
    offset 0
) as profile
cross join lateral (
    select identifier.identifier_id, identifier.kind, identifier.linked_at
    from identifier
    where identifier.profile_id = asked.profile_id
    offset 0
) as identifier
cross join lateral (
    select live_event.event, live_event.occurred_at_us, live_event.message_id, live_event.properties
    from live_event
    where live_event.identifier_id = identifier.identifier_id
        and (%(every)s or live_event.event = any (%(names)s::text[]))
    offset 0
) as kept
where identifier.kind in ('user_id', 'anonymous_id')
    and (
        not profile.past_apart or identifier.kind = 'user_id'
        or kept.occurred_at_us >= (extract(epoch from identifier.linked_at) * 1000000)::bigint
    )
