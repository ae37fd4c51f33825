-- New events that are looked back at are kept, and one that is kept already stays as it is. Returns whose they are; of
-- whom nobody knows yet, the profile's first day will tell.
with hashed as materialized (
    select identity_hash(kind, value) as identifier_id, occurred_at_us, message_id, event, properties
    from noted
),
kept as (
    insert into live_event (identifier_id, occurred_at_us, message_id, event, properties)
    select identifier_id, occurred_at_us, message_id, event, properties
    from hashed
    -- In the order in which a segment is filled: the two must not wait for each other.
    order by identifier_id, occurred_at_us, message_id
    on conflict do nothing
)
select distinct whose.event, identifier.profile_id
from (select distinct event, identifier_id from hashed) as whose
cross join lateral (
    select profile_id from identifier where identifier.identifier_id = whose.identifier_id offset 0
) as identifier
