-- Every event with the profile it belongs to, from when on it is the profile's own.
select
    identifiers.profile_id,
    case events.type when 'page' then 'Page Viewed' when 'screen' then 'Screen Viewed' else events.event end as event,
    events.occurred_at_us,
    events.message_id,
    events.properties
from events
join identifiers
    on identifiers.kind = case when events.user_id is null then 'anonymous_id' else 'user_id' end
    and identifiers.value = coalesce(events.user_id, events.anonymous_id)
where events.occurred_at_us >= identifiers.since_us
