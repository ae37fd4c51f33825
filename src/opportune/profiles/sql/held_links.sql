-- What holds a profile together.
select link.owner_id, link.other_id, link.occurred_at_us
from identifier as here
join identifier_link as link on link.owner_id = here.identifier_id and link.holds and link.owner_id <> link.other_id
where here.profile_id = %(profile_id)s
order by link.occurred_at_us, link.owner_id, link.other_id
