-- Whether anything waits that an event can end: mostly not, and then nothing is compared.
select exists (
    select from outbox where state in ('pending', 'reserved', 'scheduled', 'unknown') and ends_on is not null
) as is_any
