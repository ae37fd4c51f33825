-- What moved the choices of a version, over some days.
select dimension, nullif(trait, '') as trait, avg(moved) as moved
from choice_mover
where use_case = %(use_case)s and version = %(version)s and day >= %(since)s
group by dimension, trait
order by moved desc, dimension, trait
limit %(most)s
