-- True for events imported as history: a fragment over a relation with the column context, JSON text.
coalesce(context ->> '$.import.id' is not null and coalesce(context ->> '$.import.live', 'false') <> 'true', false)
