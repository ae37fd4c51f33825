-- The days on which anything was received.
select distinct received_at_us // 86400000000 as day
from events
order by day
