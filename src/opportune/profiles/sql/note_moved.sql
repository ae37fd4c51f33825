-- Profiles that won or lost identifiers, and with them perhaps events.
insert into computed_note (profile_id)
select distinct profile_id
from profile_touched
where moved
