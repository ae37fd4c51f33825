-- Whose new events are; of whom nobody knows yet, the profile's first day will tell.
select distinct noted.event, identifier.profile_id
from noted
join identifier on identifier.identifier_id = identity_hash(noted.kind, noted.value)
