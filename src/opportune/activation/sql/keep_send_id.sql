-- What Braze said when the day's id was asked for, the first time.
insert into braze_send_id (use_case, campaign_id, day, send_id, made_at)
values (%(use_case)s, %(campaign_id)s, %(day)s, nullif(%(send_id)s, ''), %(now)s)
on conflict (use_case, campaign_id, day) do nothing
