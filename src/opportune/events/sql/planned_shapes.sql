-- Groups events by the fields and types that a tracking plan judges, and says which rows each group stands for.
with message as (
    select place, source_id, type, coalesce(event, type) as event, deep, try_cast(document as json) as document
    from batch
)
select source_id, type, event,
    -- Of what is nested very deeply only the first level: the engine cannot follow it.
    case
        when deep then '{' || array_to_string(list_transform(json_keys(document), lambda name:
            cast(to_json(name) as varchar) || ':"'
            || json_type(document, '/' || replace(replace(name, '~', '~0'), '/', '~1')) || '"'
        ), ',') || '}'
        else json_structure(document)
    end as types,
    list(place order by place) as places, arg_max(cast(document as varchar), place) as document
from message
group by source_id, type, event, types
order by min(place)
