-- Reserve what is due before anybody is called: a reserved row is never sent again without an enquiry.
-- A profile's next row waits until its last one is settled: a receiver shows only the newest receipt.
with due as (
    select key, profile_id, due_at
    from outbox
    where state = 'pending' and due_at <= %(now)s and leased_until <= clock_timestamp()
        and use_case = %(use_case)s
        -- An array, looked through once and hashed: as a join, a table without statistics takes minutes.
        and profile_id <> all (array(
            select profile_id from outbox
            where state in ('reserved', 'unknown') and use_case = %(use_case)s
        ))
    order by due_at, key
    limit %(limit)s
    for update skip locked
),
earliest as (
    select distinct on (profile_id) key
    from due
    order by profile_id, due_at, key
)
update outbox set
    state = 'reserved',
    attempts = attempts + 1,
    attempted_at = %(now)s,
    leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
from earliest
where outbox.key = earliest.key
returning outbox.key, user_id, properties, attempts, attempted_at, leased_until
