-- Reserve what is due for a destination before anybody is called. Several of one profile go together, in their order,
-- as many as one call takes; while one of them is under way or waits for its next try, the later ones wait. No more
-- bytes at once than can be held, but one message at least.
with due as (
    select key, profile_id, due_at, sequence, octet_length(message) as bytes
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s and leased_until <= clock_timestamp()
        and not exists (
            select from outbox as open
            where open.use_case = %(use_case)s and open.state in ('reserved', 'unknown')
                and open.profile_id = outbox.profile_id
            -- Looked up row by row: as a join, a table without statistics takes minutes.
            offset 0
        )
        and not exists (
            select from outbox as waiting
            where waiting.use_case = %(use_case)s and waiting.state = 'pending' and waiting.attempted_at is not null
                and waiting.profile_id = outbox.profile_id and waiting.leased_until > clock_timestamp()
            offset 0
        )
    order by due_at, sequence
    limit %(limit)s
    for update skip locked
),
ranked as (
    select key, bytes,
        row_number() over (partition by profile_id order by due_at, sequence) as place,
        sum(bytes) over (order by due_at, sequence) as bytes_so_far
    from due
),
claimed as (
    update outbox set
        state = 'reserved',
        attempts = attempts + 1,
        attempted_at = %(now)s,
        leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    from ranked
    where outbox.key = ranked.key and ranked.place <= %(together)s
        and (ranked.bytes_so_far <= %(most_bytes)s or ranked.bytes_so_far = ranked.bytes)
    returning outbox.key, user_id, properties, attempts, attempted_at, leased_until, outbox.due_at, outbox.profile_id,
        outbox.sequence, message
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
