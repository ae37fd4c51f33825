-- The next due job, leased: a dead worker's job comes back by itself when the lease ends.
update job set
    attempts = attempts + 1,
    leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
where (kind, key) = (
    select kind, key from job
    where done_at is null and due_at <= %(now)s and leased_until <= clock_timestamp()
    order by due_at, kind, key
    limit 1
    for update skip locked
)
returning kind, key, payload, due_at, attempts
