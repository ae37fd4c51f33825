-- What is waiting and what was done, by state.
select 'outbox' as gauge, state, count(*) as count from outbox group by state
union all
select 'jobs' as gauge, case when done_at is null then 'open' else 'done' end as state, count(*) as count
from job
group by 2
union all
select 'privacy_requests' as gauge, state, count(*) as count from privacy_request group by state
union all
select 'profiles_expired' as gauge, '' as state, coalesce(sum(profiles), 0)::bigint as count from privacy_expired
order by gauge, state
