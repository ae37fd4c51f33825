-- The ids of who is forgotten, and the ids that stand in their place.
create temporary table forgotten on commit drop as
select distinct on (old_id) old_id, new_id, new_value, erases,
    lpad(to_hex(old_id), 16, '0') as old_hex, lpad(to_hex(new_id), 16, '0') as new_hex
from (
    select identifier_id as old_id, new_id, new_value, request.mode = 'erase' as erases, 2 as turn
    from privacy_subject
    join privacy_request as request using (request_id)
    union all
    select profile_id, new_profile_id, new_value, request.mode = 'erase', 1
    from privacy_subject
    join privacy_request as request using (request_id)
) as named
order by old_id, turn
