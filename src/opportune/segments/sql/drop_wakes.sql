-- Nothing is to be asked of segments that are no more.
delete from segment_wake
where segment = any (%(segments)s::text[])
