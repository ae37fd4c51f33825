-- The id of a day's sends if it was asked for, and else whether anything waits for one.
select
    known.day is not null as is_known,
    coalesce(known.send_id, '') as send_id,
    known.day is null and exists (
        select from outbox
        where outbox.use_case = %(use_case)s and outbox.state = 'pending' and outbox.due_at <= %(now)s
    ) as is_needed
from (select 1) as one
left join braze_send_id as known
    on known.use_case = %(use_case)s and known.campaign_id = %(campaign_id)s and known.day = %(day)s
