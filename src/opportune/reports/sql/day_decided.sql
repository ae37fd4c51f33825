-- How many decisions each variant has on one day, how many of them explored, and how many send something.
select
    variant,
    count(*) as decisions,
    sum(case when explored then 1 else 0 end)::bigint as explored,
    sum(case when due_at is not null then 1 else 0 end)::bigint as sends
from decisions
where use_case = $use_case and version = $version and variant <> 'shadow' and day = cast($day as date)
group by variant
order by variant
