-- What waits for each destination, what was sent and what was given up.
select substring(use_case from '/(.*)$') as destination, state, sum(count)::bigint as count
from (
    select use_case, state, count(*) as count from outbox where starts_with(use_case, 'destination/') group by use_case, state
    union all
    select use_case, state, count from outbox_total where starts_with(use_case, 'destination/')
) as counted
group by use_case, state
order by use_case, state
