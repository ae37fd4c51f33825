-- How each use case's way out is doing: what waits, how late, what became of the rest, and the newest trouble.
select use_case,
    count(*) filter (where state = 'pending' and due_at <= %(now)s)::bigint as due,
    count(*) filter (where state = 'pending' and due_at > %(now)s)::bigint as later,
    count(*) filter (where state = 'reserved')::bigint as under_way,
    count(*) filter (where state = 'scheduled')::bigint as held,
    count(*) filter (where state = 'scheduled' and recall is not null)::bigint as coming_back,
    count(*) filter (where state = 'unknown')::bigint as ambiguous,
    count(*) filter (where state = 'sent')::bigint as sent,
    count(*) filter (where state = 'failed')::bigint as failed,
    min(due_at) filter (where state = 'pending' and due_at <= %(now)s) as oldest_due_at,
    max(attempted_at) filter (where state = 'sent') as last_sent_at,
    (
        select trouble.reason
        from outbox as trouble
        where trouble.use_case = outbox.use_case and trouble.state in ('pending', 'scheduled', 'unknown') and trouble.reason <> ''
        order by trouble.attempted_at desc nulls last, trouble.key
        limit 1
    ) as trouble
from outbox
where message is null and use_case = any (%(use_cases)s)
group by use_case
order by use_case
