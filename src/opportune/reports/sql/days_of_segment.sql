-- What was chosen for the members of one segment, oldest day first.
select day, choices
from day_segment
where use_case = %(use_case)s and version = %(version)s and segment = %(segment)s and choices is not null
order by day
