-- What a receiver held and whose time has come, or of which engagement has told.
with arrived as (
    select key
    from outbox
    where use_case = %(use_case)s and state = 'scheduled' and leased_until <= clock_timestamp()
        and (held_until <= %(now)s or evidence is not null)
    order by held_until, key
    limit %(limit)s
    for update skip locked
),
claimed as (
    update outbox set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    from arrived
    where outbox.key = arrived.key
    returning outbox.key, user_id, properties, attempts, attempted_at, leased_until, due_at, reopened, dispatch_id,
        evidence, held_until, recall, recalled_at
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
