-- The segments by which choices of a version were counted.
select segment
from day_segment
where use_case = %(use_case)s and version = %(version)s and choices is not null
group by segment
order by segment
