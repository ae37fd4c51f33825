-- Adds the counts of a micro-batch to the catalogue. Names beyond the limits are counted under "(others)", so that a
-- client that writes ids into names cannot fill it.
with given_event as materialized (
    select *
    from jsonb_to_recordset(%(events)s::jsonb) as given (
        source_id text, type text, event text, hour bigint, events bigint, flagged bigint, blocked bigint,
        unplanned bigint, first_us bigint, last_us bigint
    )
),
new_event as (
    select given.source_id, given.type, given.event, row_number() over (
            partition by given.source_id order by sum(given.events) desc, given.type, given.event
        ) as place
    from given_event as given
    left join catalogue_event as known using (source_id, type, event)
    where known.source_id is null and given.event <> '(others)'
    group by given.source_id, given.type, given.event
),
event_room as (
    select source_id, count(*) as names
    from catalogue_event
    where source_id in (select new_event.source_id from new_event) and event <> '(others)'
    group by source_id
),
other_event as materialized (
    select new_event.source_id, new_event.type, new_event.event
    from new_event
    left join event_room using (source_id)
    where new_event.place + coalesce(event_room.names, 0) > %(most_events)s
),
named_event as materialized (
    select given.source_id, given.type,
        case when other.event is null then given.event else '(others)' end as event,
        timestamptz 'epoch' + given.hour * interval '1 hour' as hour,
        sum(given.events) as events, sum(given.flagged) as flagged, sum(given.blocked) as blocked,
        sum(given.unplanned) as unplanned,
        timestamptz 'epoch' + min(given.first_us) * interval '1 microsecond' as first_seen_at,
        timestamptz 'epoch' + max(given.last_us) * interval '1 microsecond' as last_seen_at
    from given_event as given
    left join other_event as other using (source_id, type, event)
    group by 1, 2, 3, 4
),
added_event as (
    insert into catalogue_event as known (
        source_id, type, event, events, flagged, blocked, unplanned, first_seen_at, last_seen_at
    )
    select source_id, type, event, sum(events), sum(flagged), sum(blocked), sum(unplanned),
        min(first_seen_at), max(last_seen_at)
    from named_event
    group by source_id, type, event
    order by source_id, type, event
    on conflict (source_id, type, event) do update set
        events = known.events + excluded.events,
        flagged = known.flagged + excluded.flagged,
        blocked = known.blocked + excluded.blocked,
        unplanned = known.unplanned + excluded.unplanned,
        first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
        last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at)
),
horizon as materialized (
    select greatest(
        (select max(hour) from named_event), (select hour from catalogue_hour order by hour desc limit 1)
    ) - interval '8 days' as hour
),
added_hour as (
    insert into catalogue_hour as known (hour, source_id, type, event, events)
    select named.hour, named.source_id, named.type, named.event, named.events
    from named_event as named
    cross join horizon
    where named.hour >= horizon.hour and named.events > 0
    order by named.hour, named.source_id, named.type, named.event
    on conflict (hour, source_id, type, event) do update set events = known.events + excluded.events
),
forgotten_hour as (
    delete from catalogue_hour
    using horizon
    where catalogue_hour.hour < horizon.hour
),
given_field as materialized (
    select given.*, case when other.event is null then given.event else '(others)' end as named
    from jsonb_to_recordset(%(fields)s::jsonb) as given (
        source_id text, type text, event text, kind text, name text, strings bigint, integers bigint, numbers bigint,
        booleans bigint, arrays bigint, objects bigint, nulls bigint, personal_values bigint, missing bigint,
        wrong_type bigint, wrong_value bigint, unplanned bigint, first_us bigint, last_us bigint, sample text
    )
    left join other_event as other using (source_id, type, event)
),
new_field as (
    select given.source_id, given.type, given.named, given.kind, given.name, row_number() over (
            partition by given.source_id, given.type, given.named
            order by sum(
                given.strings + given.integers + given.numbers + given.booleans + given.arrays + given.objects
            ) desc, given.kind, given.name
        ) as place
    from given_field as given
    left join catalogue_field as known
        on known.source_id = given.source_id and known.type = given.type and known.event = given.named
        and known.kind = given.kind and known.name = given.name
    where known.source_id is null and given.name <> '(others)'
    group by given.source_id, given.type, given.named, given.kind, given.name
),
field_room as (
    select known.source_id, known.type, known.event, count(*) as names
    from (select distinct source_id, type, named from new_field) as growing
    join catalogue_field as known
        on known.source_id = growing.source_id and known.type = growing.type and known.event = growing.named
    where known.name <> '(others)'
    group by known.source_id, known.type, known.event
),
other_field as (
    select new_field.source_id, new_field.type, new_field.named, new_field.kind, new_field.name
    from new_field
    left join field_room
        on field_room.source_id = new_field.source_id and field_room.type = new_field.type
        and field_room.event = new_field.named
    where new_field.place + coalesce(field_room.names, 0) > %(most_fields)s
)
insert into catalogue_field as known (
    source_id, type, event, kind, name, strings, integers, numbers, booleans, arrays, objects, nulls,
    personal_values, missing, wrong_type, wrong_value, unplanned, first_seen_at, last_seen_at, sample
)
select given.source_id, given.type, given.named, given.kind,
    case when other.name is null then given.name else '(others)' end as field_name,
    sum(given.strings), sum(given.integers), sum(given.numbers), sum(given.booleans), sum(given.arrays),
    sum(given.objects), sum(given.nulls), sum(given.personal_values), sum(given.missing), sum(given.wrong_type),
    sum(given.wrong_value), sum(given.unplanned),
    timestamptz 'epoch' + min(given.first_us) * interval '1 microsecond',
    timestamptz 'epoch' + max(given.last_us) * interval '1 microsecond',
    -- many names share a row of others: none of their values stands for it
    max(given.sample) filter (where other.name is null and given.named = given.event)
from given_field as given
left join other_field as other
    on other.source_id = given.source_id and other.type = given.type and other.named = given.named
    and other.kind = given.kind and other.name = given.name
group by given.source_id, given.type, given.named, given.kind, field_name
order by given.source_id, given.type, given.named, given.kind, field_name
on conflict (source_id, type, event, kind, name) do update set
    strings = known.strings + excluded.strings,
    integers = known.integers + excluded.integers,
    numbers = known.numbers + excluded.numbers,
    booleans = known.booleans + excluded.booleans,
    arrays = known.arrays + excluded.arrays,
    objects = known.objects + excluded.objects,
    nulls = known.nulls + excluded.nulls,
    personal_values = known.personal_values + excluded.personal_values,
    missing = known.missing + excluded.missing,
    wrong_type = known.wrong_type + excluded.wrong_type,
    wrong_value = known.wrong_value + excluded.wrong_value,
    unplanned = known.unplanned + excluded.unplanned,
    first_seen_at = least(known.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(known.last_seen_at, excluded.last_seen_at),
    sample = coalesce(excluded.sample, known.sample)
