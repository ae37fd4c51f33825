-- What was seen together with them.
delete from identifier_link
where owner_id = any (%(ids)s) or other_id = any (%(ids)s)
