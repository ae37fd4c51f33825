-- The ids of a use case's days, the oldest first.
select day, send_id
from braze_send_id
where use_case = %(use_case)s and campaign_id = %(campaign_id)s and day >= %(since)s and send_id is not null
order by day
