-- What messages say of consent; of each purpose and channel the newest statement stays. Of two of the same moment the
-- later message id counts, and within one message the refusal. Returns whose consent is another one now.
with document as materialized (
    select holder(user_id, anonymous_id, %(blocked)s, %(blocked_patterns)s) as identifier_id,
        type, event, occurred_at_us, message_id, source_id,
        try_jsonb_object(traits) as traits,
        try_jsonb_object(context) #> '{consent,categoryPreferences}' as preferences,
        try_jsonb_object(properties) as properties
    from speaking
),
said as (
    select document.identifier_id, trait.purpose, trait.channel, consent_state(document.traits -> trait.trait) as state,
        document.occurred_at_us, document.message_id, document.source_id,
        jsonb_build_object('trait', trait.trait, 'value', document.traits -> trait.trait) as evidence
    from document
    cross join jsonb_to_recordset(%(traits)s::jsonb) as trait (trait text, purpose text, channel text)
    where document.type = 'identify' and document.traits ? trait.trait
    union all
    select document.identifier_id, category.purpose, '*', consent_state(preference.value),
        document.occurred_at_us, document.message_id, document.source_id,
        jsonb_build_object('category', preference.key, 'value', preference.value)
    from document
    cross join lateral jsonb_each(
        case jsonb_typeof(document.preferences) when 'object' then document.preferences else '{}' end
    ) as preference
    join jsonb_to_recordset(%(categories)s::jsonb) as category (category text, purpose text)
        on category.category = preference.key
    union all
    select identifier_id, coalesce(properties ->> 'purpose', '*'), coalesce(properties ->> 'channel', '*'),
        consent_state(properties -> 'granted'), occurred_at_us, message_id, source_id, properties
    from document
    where type = 'track' and event = %(event)s
),
newest as (
    select distinct on (identifier_id, purpose, channel)
        identifier_id, purpose, channel, state, occurred_at_us, message_id, source_id, evidence
    from said
    where identifier_id is not null and state is not null
        and char_length(purpose) between 1 and 100 and char_length(channel) between 1 and 100
    order by identifier_id, purpose, channel, occurred_at_us desc, message_id collate "C" desc, state desc,
        evidence::text collate "C"
)
insert into consent/*again*/ as known (
    identifier_id, purpose, channel, state, said_at_us, message_id, source_id, evidence
)
select identifier_id, purpose, channel, state, occurred_at_us, message_id, source_id, evidence
from newest
order by identifier_id, purpose, channel
on conflict (identifier_id, purpose, channel) do update set
    state = excluded.state,
    said_at_us = excluded.said_at_us,
    message_id = excluded.message_id,
    source_id = excluded.source_id,
    evidence = excluded.evidence
where excluded.said_at_us > known.said_at_us
    or (excluded.said_at_us = known.said_at_us and excluded.message_id collate "C" > known.message_id collate "C")
returning identifier_id
