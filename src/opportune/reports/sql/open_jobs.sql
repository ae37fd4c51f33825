-- The jobs that are not done, by kind, and since when the oldest of them is due.
select kind, count(*) as count, count(*) filter (where error is not null) as failing, min(due_at) as oldest_due_at
from job
where done_at is null
group by kind
order by kind
