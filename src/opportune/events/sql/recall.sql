-- Which of these messages the lake holds as events, and which a tracking plan refused; of repeats, the first.
with known as (
    select message_id, source_id, received_at_us, 'stored' as fate
    from events
    where received_at_us between $first_us and $last_us
    union all
    select message_id, source_id, epoch_us(received_at), 'blocked'
    from rejects
    where received_at between $first_at and $last_at and code in ('schema_violation', 'unplanned')
)
select batch.place, known.fate
from batch
join known on known.message_id = batch.message_id and known.source_id = batch.source_id
    and known.received_at_us = batch.received_at_us
qualify row_number() over (
    partition by batch.message_id, batch.source_id, batch.received_at_us
    order by known.fate desc, batch.place
) = 1
order by batch.place
