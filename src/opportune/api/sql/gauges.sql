-- What is waiting and what was done, by state.
select 'outbox' as gauge, state, sum(count)::bigint as count
from (
    select state, count(*) as count from outbox group by state
    union all
    select state, count from outbox_total
) as counted
group by state
union all
select 'jobs' as gauge, case when done_at is null then 'open' else 'done' end as state, count(*) as count
from job
group by 2
order by gauge, state
