-- The person is gone, and it is proven: what named them here goes as well.
with gone as (
    delete from privacy_subject
    where request_id is not null
)
update privacy_request set kind = null, value = null, proof = %(proof)s::jsonb, done = %(done)s::jsonb, step = 'scrubbing'
where state = 'running' and value is not null
