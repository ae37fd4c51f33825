-- The log knows these.
delete from membership_untold
where place = any (%(places)s::bigint[])
