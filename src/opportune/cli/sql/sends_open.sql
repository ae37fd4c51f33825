-- Sends that are due and not settled: two counts, because each has an index of its own.
select (
    (select count(*) from outbox where state = 'pending' and due_at <= %(now)s)
    + (select count(*) from outbox where state in ('reserved', 'unknown'))
)::int as count
