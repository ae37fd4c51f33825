-- How many more calls the receiver takes now; nothing where it has not said, or that window is over and it has to say anew.
select remaining, calls, resets_at, resets_at > clock_timestamp() as is_open
from rate_window
where name = %(name)s
for update
