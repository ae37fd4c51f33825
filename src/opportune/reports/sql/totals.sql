-- From when to when was decided, and how many of these days have their rewards.
with mature as (
    select distinct day from rewards where use_case = $use_case
),
decided as (
    select distinct day from decisions where use_case = $use_case and version = $version
)
select count(decided.day) as decided_days, count(mature.day) as mature_days,
    min(case when mature.day is null then decided.day end) as oldest_immature_day
from decided
left join mature on mature.day = decided.day
order by decided_days
