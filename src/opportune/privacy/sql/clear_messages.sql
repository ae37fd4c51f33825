-- Messages to destinations that are about who is forgotten, or name them: none is sent any more, they stay as a count.
with gone as (
    delete from outbox
    where message is not null and (
        profile_id in (select old_id from forgotten) or message ~ %(pattern)s or message ~* %(folded)s
    )
    returning use_case, case when state = 'sent' then 'sent' else 'failed' end as state,
        case when state = 'sent' then '' else 'the person was forgotten' end as reason
),
counted as (
    insert into outbox_total (use_case, state, reason, count)
    select use_case, state, reason, count(*)
    from gone
    group by use_case, state, reason
    on conflict (use_case, state, reason) do update set count = outbox_total.count + excluded.count
)
select 'outbox' as table_name, count(*)::int as rows
from gone
