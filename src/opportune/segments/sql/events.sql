-- Every event with the profile it belongs to: the user's, or of an event without a user the anonymous visitor's, since
-- the login where the past is to be kept apart. What segments say of themselves is none.
select
    coalesce(known.profile_id, anonymous.profile_id) as profile_id,
    case events.type when 'page' then 'Page Viewed' when 'screen' then 'Screen Viewed' else events.event end as event,
    events.occurred_at_us,
    events.message_id,
    events.properties
from events
left join identifiers as known on known.kind = 'user_id' and known.value = events.user_id
left join identifiers as anonymous
    on events.user_id is null and anonymous.kind = 'anonymous_id' and anonymous.value = events.anonymous_id
where coalesce(known.profile_id, anonymous.profile_id) is not null
    and events.occurred_at_us >= coalesce(known.since_us, anonymous.since_us)
    and coalesce(events.event, '') not in ('Segment Entered', 'Segment Exited')
