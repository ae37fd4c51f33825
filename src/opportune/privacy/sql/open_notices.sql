-- How many messages that somebody is to be forgotten are still to be sent, and may still be waited for: no longer than
-- the first of the requests can wait.
select count(*)::int as count
from outbox
where strpos(key, '/forgotten:') > 0 and state in ('pending', 'reserved', 'unknown')
    and not exists (
        select from privacy_request
        where state = 'running' and started_at <= %(now)s - make_interval(secs => %(longest_s)s)
    )
