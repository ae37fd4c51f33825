-- Take out what was settled long ago, and keep how much that was, and of which days.
with old as (
    select key
    from outbox
    where state in ('sent', 'failed') and due_at < %(before)s
    order by due_at
    limit %(limit)s
    for update skip locked
),
gone as (
    delete from outbox
    using old
    where outbox.key = old.key
    returning outbox.use_case, outbox.day, outbox.state, coalesce(outbox.reason, '') as reason
),
counted as (
    insert into outbox_total (use_case, state, reason, count)
    select use_case, state, reason, count(*)
    from gone
    group by use_case, state, reason
    on conflict (use_case, state, reason) do update set count = outbox_total.count + excluded.count
),
marked as (
    insert into outbox_pruned (use_case, day)
    select distinct use_case, day
    from gone
    on conflict (use_case, day) do nothing
)
select count(*)::int as count
from gone
