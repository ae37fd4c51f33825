-- What its receiver holds of people who have to allow it, the nearest in time first.
select key
from outbox
where use_case = %(use_case)s and state = 'scheduled' and purpose is not null and not withdrawn and held_until > %(now)s
order by held_until, key
limit %(limit)s
