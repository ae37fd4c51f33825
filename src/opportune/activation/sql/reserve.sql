-- Reserve what is due before anybody is called: a reserved row is never sent again without an enquiry.
-- What a use case has waiting is held while it is not live. A profile's next row waits until its last one is settled: a receiver shows only the newest receipt.
with due as (
    select key, profile_id, due_at
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s and leased_until <= clock_timestamp()
        and coalesce(
            (
                select use_case_state.state from use_case_state
                where use_case_state.use_case = %(use_case)s
                order by change_id desc
                limit 1
            ),
            'live'
        ) = 'live'
        and not exists (
            select from outbox as open
            where open.use_case = %(use_case)s and open.state in ('reserved', 'unknown')
                and open.profile_id = outbox.profile_id
                -- What may be held for much later shows at its time only.
                and (open.held_until is null or open.held_until <= %(now)s + interval '1 hour')
            -- Looked up row by row: as a join, a table without statistics takes minutes.
            offset 0
        )
    order by due_at
    limit %(limit)s
    for update skip locked
),
earliest as (
    select distinct on (profile_id) key
    from due
    order by profile_id, due_at, key
),
claimed as (
    update outbox set
        state = 'reserved',
        attempts = attempts + 1,
        attempted_at = %(now)s,
        first_attempted_at = coalesce(outbox.first_attempted_at, %(now)s),
        leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    from earliest
    where outbox.key = earliest.key
    returning outbox.key, user_id, properties, attempts, attempted_at, leased_until, outbox.due_at, reopened
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
