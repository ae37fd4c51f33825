-- Every event in the catalogue, with what came of it lately and how many fields it has.
select seen.source_id, seen.type, seen.event, seen.events, seen.flagged, seen.blocked, seen.unplanned,
    seen.first_seen_at, seen.last_seen_at, lately.day as events_24h, lately.week as events_7d,
    (
        select count(*)
        from catalogue_field as field
        where field.source_id = seen.source_id and field.type = seen.type and field.event = seen.event
    ) as fields
from catalogue_event as seen
cross join lateral (
    select coalesce(sum(hour.events) filter (where hour.hour > %(now)s - interval '24 hours'), 0)::bigint as day,
        coalesce(sum(hour.events) filter (where hour.hour > %(now)s - interval '7 days'), 0)::bigint as week
    from catalogue_hour as hour
    where hour.source_id = seen.source_id and hour.type = seen.type and hour.event = seen.event
        and hour.hour <= %(now)s
) as lately
where (%(event)s::text is null or seen.event = %(event)s)
    and (%(source)s::text is null or seen.source_id = %(source)s)
order by seen.source_id, seen.event, seen.type
