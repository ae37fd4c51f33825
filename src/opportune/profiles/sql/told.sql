-- The log knows these.
delete from identity_untold
where place = any (%(places)s::bigint[])
