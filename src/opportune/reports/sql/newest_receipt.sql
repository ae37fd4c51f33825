-- When the newest message was received that State has taken in.
select max(received_at) as received_at
from (select received_at from event_tail order by place desc limit 500) as newest
