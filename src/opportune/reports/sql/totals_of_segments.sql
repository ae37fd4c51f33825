-- What the members of each segment earned up to the newest day that was summed up by segment.
select segment, day, totals
from day_segment
where use_case = %(use_case)s and version = %(version)s and totals is not null and day = (
    select max(day) from day_segment
    where use_case = %(use_case)s and version = %(version)s and totals is not null
)
order by segment
