-- Counts what was erased, in the same transaction.
update privacy_request set done = %(done)s::jsonb
where state = 'running' and value is not null
