-- Unanswered sends whose receiver has had time to settle; the lease keeps two workers from asking the same. What may be
-- held shows nothing before its time, and a receiver shows only the newest receipt: where another send of the person
-- went since, asking tells nothing.
with claimed as (
    update outbox set leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    where key in (
        select key from outbox
        where state = 'unknown' and leased_until <= clock_timestamp() and use_case = %(use_case)s
            and (
                evidence is not null or choice is not null
                or (
                    coalesce(held_until + make_interval(secs => %(settle_s)s) <= %(now)s, true)
                    and not exists (
                        select from outbox as other
                        where other.user_id = outbox.user_id and other.use_case = outbox.use_case
                            and other.key <> outbox.key and other.state in ('scheduled', 'sent', 'unknown')
                            and (other.held_until is not null or outbox.held_until is not null)
                            and coalesce(other.held_until, other.attempted_at) <= %(now)s
                            and coalesce(other.held_until, other.attempted_at)
                                >= coalesce(outbox.held_until, outbox.attempted_at) - make_interval(secs => %(skew_s)s)
                        offset 0
                    )
                )
            )
        order by attempted_at, key
        limit %(limit)s
        for update skip locked
    )
    returning key, user_id, properties, attempts, attempted_at, leased_until, due_at, reopened, dispatch_id, evidence,
        choice, chosen_by, held_until, recall
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
