-- Each identifier once: when it was named first, the time between the messages that were its own, and what identify
-- calls told of it (of two values the later one counts, null removes); beside that, what is known of it already.
create temporary table named on commit drop as
with seen as (
    select identifier_id, kind, value,
        min(occurred_at_us) as sighted_at_us,
        min(occurred_at_us) filter (where owner_id = identifier_id) as first_seen_at_us,
        max(last_us) filter (where owner_id = identifier_id) as last_seen_at_us
    from mention
    group by identifier_id, kind, value
),
message as (
    select mention.owner_id, document.traits, document.place, document.said_at,
        count(*) over (partition by mention.owner_id) as messages
    from document
    join mention on mention.place = document.place and mention.identifier_id = mention.owner_id
    where document.type = 'identify' and document.traits is not null
),
newest as (
    select distinct on (message.owner_id, trait.key) message.owner_id, message.said_at, trait.key, trait.value
    from message
    cross join lateral jsonb_each(message.traits) as trait
    where message.messages > 1
    order by message.owner_id, trait.key, message.said_at desc, message.place desc
),
kept as (
    select owner_id, said_at, jsonb_object_agg(key, value) as traits
    from newest
    group by owner_id, said_at
),
telling as (
    select owner_id, jsonb_build_object(said_at::text, traits) as told, said_at
    from message
    where messages = 1 and traits <> '{}'
    union all
    select owner_id, jsonb_object_agg(said_at::text, traits), null
    from kept
    group by owner_id
)
select seen.identifier_id, seen.kind, seen.value, seen.sighted_at_us, seen.first_seen_at_us, seen.last_seen_at_us,
    telling.told, telling.said_at, known.profile_id,
    seen.sighted_at_us < known.sighted_at_us as sighted_earlier,
    known.last_seen_at_us is null as unseen
from seen
left join telling on telling.owner_id = seen.identifier_id
left join lateral (
    select identifier.profile_id, identifier.sighted_at_us, identifier.last_seen_at_us
    from identifier
    where identifier.identifier_id = seen.identifier_id
    -- Looked up row by row: as a join, every batch would read the whole table.
    offset 0
) as known on true
