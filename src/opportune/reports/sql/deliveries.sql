-- What became of a use case's recommendations, by state and reason.
select state, coalesce(reason, '') as reason, count(*) as count
from outbox
where use_case = %(use_case)s
group by state, coalesce(reason, '')
order by count desc, state, reason
limit %(most)s
