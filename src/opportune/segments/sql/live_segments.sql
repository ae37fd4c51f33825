-- Which segments are followed, in which version, and whether they are filled.
select segment, version, filled_at
from live_segment
order by segment
