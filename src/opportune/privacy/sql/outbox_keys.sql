-- Which decisions of these profiles were handed to the outbox.
select key
from outbox
where profile_id = any (%(ids)s)
order by key
