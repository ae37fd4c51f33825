-- What waits in the outbox and what became of the rest; how late the oldest is that is due.
select state, count(*) as count, min(due_at) filter (where state = 'pending') as oldest_due_at
from outbox
group by state
order by state
