-- Every identifier that a message names, and the one of highest priority among them, whose message it is. What many
-- people share by mistake ("null", "0000") is none. Until `last_us`, other messages said just the same.
create temporary table mention on commit drop as
with said as (
    select place, occurred_at_us, last_us, 'user_id' as kind, user_id as value, 'seen_together' as rule
    from incoming
    where user_id is not null
    union all
    select place, occurred_at_us, last_us, 'anonymous_id', anonymous_id, 'seen_together'
    from incoming
    where anonymous_id is not null
    union all
    select document.place, document.occurred_at_us, document.occurred_at_us, at.kind, found.value #>> '{}', 'seen_together'
    from document
    cross join jsonb_to_recordset(%(places)s::jsonb) as at (kind text, origin text, path text[])
    cross join lateral (
        select case at.origin
            when 'traits' then document.traits
            when 'context' then document.context
            else document.properties
        end #> at.path as value
    ) as found
    where jsonb_typeof(found.value) in ('string', 'number')
    union all
    select document.place, document.occurred_at_us, document.occurred_at_us, external.id ->> 'type', external.id ->> 'id', 'seen_together'
    from document
    cross join lateral jsonb_array_elements(
        case jsonb_typeof(document.context -> 'externalIds')
            when 'array' then document.context -> 'externalIds'
            else '[]'
        end
    ) as external (id)
    where external.id @> '{"collection": "users", "encoding": "none"}'
        and jsonb_typeof(external.id -> 'id') = 'string'
        and external.id ->> 'type' ~ '^[a-z0-9][a-z0-9_.-]{0,62}$'
        and external.id ->> 'type' <> all (%(reserved)s)
    union all
    select document.place, document.occurred_at_us, document.occurred_at_us, 'anonymous_id', document.properties ->> 'previousId', 'alias'
    from document
    where document.type = 'alias' and document.source_id = any (%(alias_sources)s)
        and jsonb_typeof(document.properties -> 'previousId') = 'string'
),
written as materialized (
    select place, occurred_at_us, last_us, kind, canonical_value(kind, value) as value, rule
    from said
),
usable as materialized (
    select place, occurred_at_us, last_us, kind, value, rule, identity_hash(kind, value) as identifier_id
    from written
    where char_length(value) between 1 and 500
        and lower(value collate "C") <> all (%(blocked)s)
        and not value ~ any (%(blocked_patterns)s)
        and (kind <> 'email' or value ~ '^[^@[:space:]]+@[^@[:space:]]+$')
        and (kind <> 'phone' or value ~ '^[+]?[0-9]{5,20}$')
)
select place, occurred_at_us, last_us, kind, value, rule, identifier_id,
    first_value(identifier_id) over (
        partition by place
        order by array_position(%(priority)s, kind), kind collate "C", value collate "C"
    ) as owner_id
from usable
