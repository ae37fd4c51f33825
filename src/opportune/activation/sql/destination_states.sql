-- What waits for each destination, what was sent and what was given up.
select use_case as channel, state, sum(count)::bigint as count, min(oldest) as oldest_at
from (
    select use_case, state, count(*) as count, min(due_at) as oldest
    from outbox
    where starts_with(use_case, %(prefix)s)
    group by use_case, state
    union all
    select use_case, state, count, null
    from outbox_total
    where starts_with(use_case, %(prefix)s)
) as counted
group by use_case, state
order by use_case, state
