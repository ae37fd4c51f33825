-- Done, or to be tried again after a while with the reason kept.
update job set
    done_at = %(done_at)s,
    error = %(error)s,
    leased_until = clock_timestamp() + make_interval(secs => %(wait_s)s)
where kind = %(kind)s and key = %(key)s
