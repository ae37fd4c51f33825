-- Decided days whose whole window lies in the past, with the span of their decisions.
select day, min(decided_at_us) as first_us, max(decided_at_us) as last_us
from decisions
where use_case = $use_case and variant <> 'shadow'
group by day
having max(decided_at_us) <= $latest_us
order by day
