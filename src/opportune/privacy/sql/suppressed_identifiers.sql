-- Identifiers of State that were forgotten, and are known since before: a backup brought them back.
select identifier.kind, identifier.value, known.forgotten_at_us
from identifier
join unnest(%(hashes)s::text[], %(times)s::bigint[]) as known (hash, forgotten_at_us)
    on known.hash = encode(
        sha256(convert_to(%(salt)s || ':' || identifier.kind || ':' || identifier.value, 'UTF8')), 'hex'
    )
where identifier.sighted_at_us <= known.forgotten_at_us
order by identifier.kind, identifier.value
