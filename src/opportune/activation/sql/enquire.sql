-- Unanswered sends whose receiver has had time to settle; the lease keeps two workers from asking the same.
with claimed as (
    update outbox set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    where key in (
        select key from outbox
        where state = 'unknown' and leased_until <= clock_timestamp() and use_case = %(use_case)s
        order by attempted_at, key
        limit %(limit)s
        for update skip locked
    )
    returning key, user_id, properties, attempts, attempted_at, leased_until, due_at, reopened, dispatch_id, evidence,
        choice, chosen_by
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
