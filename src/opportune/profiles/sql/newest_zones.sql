-- The zone that the newest event of each profile with one named.
select distinct on (identifier.profile_id) identifier.profile_id, newest.zone
from identifier
cross join lateral (
    select event_hour.zone, event_hour.zone_at_us
    from event_hour
    where event_hour.identifier_id = identifier.identifier_id and event_hour.zone is not null
    order by event_hour.hour desc
    limit 1
) as newest
order by identifier.profile_id, newest.zone_at_us desc, newest.zone collate "C"
