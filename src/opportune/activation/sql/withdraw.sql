-- Of these rows, those that their profile does not allow any more: never sent if nobody was called yet, and never tried
-- again if somebody was; what a receiver holds is to be taken back. Returns the ones that are over.
with open_row as (
    select key, user_id, purpose, channel
    from outbox
    where key = any (%(keys)s) and purpose is not null and not withdrawn
        and state in ('pending', 'reserved', 'scheduled', 'unknown')
),
newest as (
    select distinct on (open_row.key) open_row.key, consent.state
    from open_row
    join identifier as own on own.kind = 'user_id' and own.value = open_row.user_id
    join identifier as every on every.profile_id = own.profile_id
    join consent on consent.identifier_id = every.identifier_id
        and consent.purpose in (open_row.purpose, '*') and consent.channel in (open_row.channel, '*')
    order by open_row.key, consent.said_at_us desc, consent.state desc
),
refused as (
    select open_row.key
    from open_row
    left join newest using (key)
    where coalesce(newest.state, 'unknown') <> 'granted'
        and (newest.state = 'withdrawn' or open_row.purpose <> all (%(assumed)s))
),
changed as (
    update outbox set
        withdrawn = true,
        state = case when outbox.state = 'pending' or %(reserved_now)s then 'failed' else outbox.state end,
        reason = case
            when outbox.state = 'pending' or %(reserved_now)s then 'consent_withdrawn'
            else outbox.reason
        end,
        -- In a receiver's hands, it is to be taken back.
        recall = case
            when outbox.held_until is not null and outbox.state <> 'pending' and not %(reserved_now)s
                then 'consent_withdrawn'
            else outbox.recall
        end,
        attempts = outbox.attempts - %(reserved_now)s::int
    from refused
    where outbox.key = refused.key
    returning outbox.key, outbox.state
)
select key
from changed
where state = 'failed'
order by key
