-- A destination knows of these.
insert into audience_published (audience, destination, kind, value, published_at)
select %(audience)s, %(destination)s, added.kind, added.value, %(now)s
from unnest(%(kinds)s::text[], %(texts)s::text[]) as added (kind, value)
order by added.kind, added.value
on conflict do nothing
