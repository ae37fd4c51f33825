-- From when to when was decided, how many of these days have their rewards, and how large the first was.
with mature as (
    select distinct day from rewards where use_case = $use_case
),
decided as (
    select day, count(*) as decisions
    from decisions
    where use_case = $use_case and version = $version and variant <> 'shadow'
    group by day
)
select count(decided.day) as decided_days, count(mature.day) as mature_days,
    min(case when mature.day is null then decided.day end) as oldest_immature_day,
    arg_min(decided.decisions, decided.day) as first_day_decisions
from decided
left join mature on mature.day = decided.day
order by decided_days
