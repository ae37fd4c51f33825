-- The recommendations of a day, of every variant.
select decision_id, profile_id, user_id, variant, action, propensity, decided_at_us
from decisions
where use_case = $use_case and day = cast($day as date)
order by decision_id
