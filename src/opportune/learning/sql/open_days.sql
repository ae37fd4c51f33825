-- Decided days that were not learned yet, with the first decision, where the last window begins, and how much they teach.
select day, min(decided_at_us) as first_us, max(began_at_us) as last_us,
    count(*) filter (where (variant in ('treatment', 'random') or (variant = 'champion' and policy_version like '%:champion/%')) and list_contains($versions, version)) as lessons
from (
    select day, decided_at_us, version, variant, policy_version,
        decided_at_us + 86400000000
            * coalesce(greatest(cast(floor((epoch_us(due_at) - decided_at_us) / 86400000000) as bigint), 0), 0) as began_at_us
    from decisions
    where use_case = $use_case and variant <> 'shadow' and day >= cast($since as date) and day < cast($before as date)
) as decided
group by day
order by day
