-- Whose each user id is now: a decision stays its user id's when profiles are joined or cut.
select value as user_id, profile_id
from identifier
where kind = 'user_id'
