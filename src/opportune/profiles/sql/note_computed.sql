-- Whose computed values new events may change.
insert into computed_note (profile_id)
select distinct identifier.profile_id
from unnest(%(kinds)s::text[], %(values)s::text[]) as named (kind, value)
join identifier on identifier.kind = named.kind and identifier.value = named.value
