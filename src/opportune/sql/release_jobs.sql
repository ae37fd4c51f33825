-- What a dead worker had claimed, for the one that holds the lock. The first time it comes back at once, then
-- later and later: a job that kills its worker must not keep the next one from all other work.
update job set
    leased_until = clock_timestamp()
        + make_interval(secs => least(%(longest_s)s, power(2, least(attempts, 20) - 1) - 1))
where done_at is null and attempts > 0
