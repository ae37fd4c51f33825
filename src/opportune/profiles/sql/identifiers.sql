-- Which profile an identifier in an event means.
select kind, value, profile_id
from identifier
order by kind, value
