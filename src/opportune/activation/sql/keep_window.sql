-- What the newest answers said of the receiver's window: they know of the calls of others, too.
insert into rate_window (name, calls, remaining, resets_at, told_at)
values (%(name)s, %(calls)s, %(remaining)s, clock_timestamp() + make_interval(secs => %(resets_in_s)s), clock_timestamp())
on conflict (name) do update set
    calls = excluded.calls,
    remaining = excluded.remaining,
    resets_at = excluded.resets_at,
    told_at = excluded.told_at
