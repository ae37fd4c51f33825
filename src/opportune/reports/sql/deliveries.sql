-- What became of a use case's recommendations, by state and reason; with those that are not in the outbox any more.
select state, reason, sum(count)::bigint as count
from (
    select state, coalesce(reason, '') as reason, count(*) as count
    from outbox
    where use_case = %(use_case)s
    group by state, coalesce(reason, '')
    union all
    select state, reason, count
    from outbox_total
    where use_case = %(use_case)s
) as counted
group by state, reason
order by count desc, state, reason
limit %(most)s
