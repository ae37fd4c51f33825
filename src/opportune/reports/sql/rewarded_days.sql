-- The days of a use case whose rewards are in.
select day
from rewards
where use_case = $use_case
group by day
order by day
