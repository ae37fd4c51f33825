-- The log knows of these.
delete from segment_change
where change_id = any (%(changes)s::bigint[])
