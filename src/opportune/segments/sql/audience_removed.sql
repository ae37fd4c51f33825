-- A destination has forgotten these.
delete from audience_published
using unnest(%(kinds)s::text[], %(texts)s::text[]) as removed (kind, value)
where audience_published.audience = %(audience)s and audience_published.destination = %(destination)s
    and audience_published.kind = removed.kind and audience_published.value = removed.value
