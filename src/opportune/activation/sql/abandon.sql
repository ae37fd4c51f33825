-- Whoever reserved these rows has gone: nobody knows whether they were sent, so an enquiry has to tell. A destination
-- is asked at once, or sent the same again.
with abandoned as (
    update outbox set
        state = 'unknown',
        reason = 'the sender stopped before the answer came',
        leased_until = clock_timestamp() + make_interval(secs => case when message is null then %(settle_s)s else 0 end)
    where state = 'reserved' and (leased_until <= clock_timestamp() or %(takeover)s)
    returning key
)
select count(*)::int as count
from abandoned
