-- All open requests are carried out together; one that an earlier try began goes on.
update privacy_request set state = 'running', started_at = coalesce(started_at, %(now)s), step = 'taking in'
where state <> 'done'
returning request_id, kind, value, mode, done
