-- How many decisions of treatment each of the newest days has, and how many of them explored.
select
    day,
    count(*) as decisions,
    avg(case when explored then 1.0 else 0.0 end) as exploration_share
from decisions
where use_case = $use_case and version = $version and variant = 'treatment'
group by day
order by day desc
limit $most_days
