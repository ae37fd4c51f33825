-- What became of what one day of a use case sends, by state and reason.
select state, coalesce(reason, '') as reason, count(*) as count
from outbox
where use_case = %(use_case)s and day = %(day)s
group by state, coalesce(reason, '')
order by count desc, state, reason
