-- What is still to be sent to the profiles of these identifiers.
select distinct outbox.key
from identifier as own
join identifier as every on every.profile_id = own.profile_id and every.kind = 'user_id'
join outbox on outbox.user_id = every.value
where own.identifier_id = any (%(identifiers)s)
    and outbox.state in ('pending', 'reserved', 'scheduled', 'unknown') and outbox.purpose is not null
order by outbox.key
