-- Why messages wait that were tried.
select use_case as channel, reason, count(*) as count
from outbox
where starts_with(use_case, %(prefix)s) and state in ('pending', 'unknown') and attempted_at is not null
    and reason is not null
group by use_case, reason
order by use_case, count desc, reason
