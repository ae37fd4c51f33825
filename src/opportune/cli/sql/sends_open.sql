-- Sends that are due and not settled.
select count(*)::int as count
from outbox
where state in ('pending', 'reserved', 'unknown') and due_at <= %(now)s
