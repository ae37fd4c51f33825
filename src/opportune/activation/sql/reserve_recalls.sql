-- What is to be taken back and can be, the nearest in time first: all that a receiver holds together comes back together.
with wanted as (
    select schedule_id
    from outbox
    where use_case = %(use_case)s and state = 'scheduled' and recall is not null and held_until > %(now)s
        and leased_until <= clock_timestamp()
    group by schedule_id
    order by min(held_until), schedule_id
    limit %(limit)s
),
together as (
    select key, recalled_at
    from outbox
    where use_case = %(use_case)s and state = 'scheduled' and schedule_id in (select schedule_id from wanted)
    order by key
    for update
),
claimed as (
    update outbox set
        recalled_at = %(now)s,
        leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    from together
    where outbox.key = together.key
    returning outbox.key, user_id, properties, attempts, attempted_at, leased_until, due_at, held_until, schedule_id,
        recall, together.recalled_at
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
