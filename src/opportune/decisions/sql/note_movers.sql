-- What moved the choices of a day; who decides again notes again.
insert into choice_mover (use_case, version, day, dimension, trait, moved)
select %(use_case)s, %(version)s, %(day)s, told.dimension, told.trait, told.moved
from unnest(%(dimensions)s::text[], %(traits)s::text[], %(moved)s::double precision[]) as told (dimension, trait, moved)
on conflict (use_case, version, day, dimension, trait) do update set moved = excluded.moved
