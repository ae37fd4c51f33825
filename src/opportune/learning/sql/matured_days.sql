-- Decided days whose whole window lies in the past, with the first decision and where the last window begins.
select day, min(decided_at_us) as first_us, max(began_at_us) as last_us
from (
    select day, decided_at_us,
        decided_at_us + 86400000000
            * coalesce(greatest(cast(floor((epoch_us(due_at) - decided_at_us) / 86400000000) as bigint), 0), 0) as began_at_us
    from decisions
    where use_case = $use_case and variant <> 'shadow'
) as decided
group by day
having max(began_at_us) <= $latest_us
order by day
