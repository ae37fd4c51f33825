-- Groups a micro-batch by which fields its events have and of which types: a few rows that stand for all, with the
-- newest document of each, and the newest of those with a value in which somebody's address or number may stand.
with message as (
    select source_id, type, left(coalesce(event, type), 200) as event, outcome, kind, received_at_us, place, deep, known,
        try_cast(document as json) as document,
        case when contains(document, '@') then regexp_matches(document, $email) else false end
            or regexp_matches(document, $numbers) as telling
    from batch
)
select source_id, type, event, outcome, kind, received_at_us // 3600000000 as hour,
    -- Of what is nested very deeply only the first level: the engine cannot follow it.
    case
        when known is not null then known
        when deep then '{' || array_to_string(list_transform(json_keys(document), lambda name:
            cast(to_json(name) as varchar) || ':"'
            || json_type(document, '/' || replace(replace(name, '~', '~0'), '/', '~1')) || '"'
        ), ',') || '}'
        else json_structure(document)
    end as types,
    count(*) as events, min(received_at_us) as first_us, max(received_at_us) as last_us, max(place) as place,
    arg_max(cast(document as varchar), place) as document,
    arg_max(cast(document as varchar), place, 10) filter (where telling) as telling
from message
group by source_id, type, event, outcome, kind, hour, types
order by place, kind
