-- Whoever reserved these rows has gone: nobody knows whether they were sent, so an enquiry has to tell. A destination
-- is asked at once, or sent the same again. Whoever takes over also asks at once what the one before was asking about:
-- a wait that ends within such a lease may be one, and none is worth more than the time that a receiver needs.
with abandoned as (
    update outbox set
        state = 'unknown',
        reason = case when state = 'reserved' then 'the sender stopped before the answer came' else reason end,
        leased_until = least(
            clock_timestamp() + make_interval(secs => case when message is null then %(settle_s)s else 0 end),
            case when state = 'unknown' then leased_until end
        )
    where (state = 'reserved' and (leased_until <= clock_timestamp() or %(takeover)s))
        or (
            state = 'unknown' and %(takeover)s
            and leased_until between clock_timestamp() and clock_timestamp() + make_interval(secs => %(lease_s)s)
        )
    returning key
)
select count(*)::int as count
from abandoned
