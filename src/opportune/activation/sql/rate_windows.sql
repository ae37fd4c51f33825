-- What receivers said last of their rate limits.
select name, calls, remaining, resets_at, told_at, resets_at <= clock_timestamp() as is_over
from rate_window
order by name
