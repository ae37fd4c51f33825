-- Requests to be forgotten, the newest first, or the one of this id.
select request_id, mode, state, asked_by, received_at, started_at, done_at, step, error, done, proof
from privacy_request
where %(request_id)s::text is null or request_id = %(request_id)s
order by received_at desc, request_id
limit %(limit)s
