-- A request is received once: asked again while it is open, the same one is returned.
with known as (
    select request_id from privacy_request
    where state <> 'done' and kind = %(kind)s and value = %(value)s and mode = %(mode)s
    order by received_at
    limit 1
),
added as (
    insert into privacy_request (request_id, mode, kind, value, asked_by, received_at)
    select %(request_id)s, %(mode)s, %(kind)s, %(value)s, %(by)s, %(now)s
    where not exists (select from known)
    returning request_id
)
select request_id from known
union all
select request_id from added
