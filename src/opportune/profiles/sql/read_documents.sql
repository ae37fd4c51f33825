-- What messages say in JSON, parsed once each.
create temporary table document on commit drop as
select place, type, source_id, occurred_at_us,
    -- Of two messages of the same microsecond always the same one is the later, whichever came first.
    occurred_at_us + ('x' || left(md5(message_id), 7))::bit(28)::int / 1e9 as said_at,
    try_jsonb_object(traits) as traits,
    try_jsonb_object(context) as context,
    try_jsonb_object(properties) as properties
from incoming
where traits is not null or context is not null or properties is not null
