-- The fields of an event in the catalogue, from each of its sources.
select source_id, type, event, kind, name, strings, integers, numbers, booleans, arrays, objects, nulls,
    personal_values, missing, wrong_type, wrong_value, unplanned, first_seen_at, last_seen_at, sample
from catalogue_field
where event = %(event)s
order by source_id, type, kind, name
