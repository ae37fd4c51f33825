-- Requests that came to their end.
update privacy_request set state = 'done', done_at = %(now)s, step = null, error = null,
    proof = proof || jsonb_build_object('database_files', %(files)s::jsonb)
where state = 'running' and value is null
returning request_id
