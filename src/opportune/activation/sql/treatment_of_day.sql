-- The decisions of a day that are to be sent; control and the holdout are logged and stay unsent. Who asked for one carries it out.
select decision_id, profile_id, user_id, action, due_at, zone
from decisions
where use_case = $use_case and day = cast($day as date) and variant in ('treatment', 'random', 'champion')
    and decision_id not like '%:%:%:%'
order by decision_id
