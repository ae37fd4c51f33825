-- Whether engagement can tell anything that is not known: at most times it cannot.
select exists (
    select from outbox
    where message is null and (state in ('reserved', 'scheduled', 'unknown') or (state = 'pending' and attempted_at is not null))
) as is_any
