-- What became of the recommendations of each day, all of these use cases together.
select day,
    count(*) filter (where state = 'sent')::bigint as sent,
    count(*) filter (where state = 'failed')::bigint as failed,
    count(*) filter (where state = 'unknown')::bigint as ambiguous,
    count(*) filter (where state in ('pending', 'reserved', 'scheduled'))::bigint as waiting
from outbox
where message is null and use_case = any (%(use_cases)s) and day >= %(first)s
group by day
order by day
