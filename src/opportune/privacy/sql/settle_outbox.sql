-- Messages of who is forgotten: they stay as a count, nobody's, and what was not sent is not sent any more;
-- what a receiver holds is to be taken back first.
with settled as (
    update outbox set
        key = replace(outbox.key, forgotten.old_hex, forgotten.new_hex),
        profile_id = forgotten.new_id,
        user_id = forgotten.new_value,
        dispatch_id = null,
        reason = case when outbox.state in ('sent', 'failed') then outbox.reason else 'the person was forgotten' end,
        recall = case when outbox.state = 'scheduled' then 'the person was forgotten' end,
        state = case when outbox.state in ('sent', 'scheduled') then outbox.state else 'failed' end
    from forgotten
    where outbox.profile_id = forgotten.old_id
    returning 1
)
select 'outbox' as table_name, count(*)::int as rows
from settled
