-- The recommendations of a day, of every variant; not those that somebody asked for.
select decision_id, profile_id, user_id, variant, action, propensity, decided_at_us
from decisions
where use_case = $use_case and day = cast($day as date)
    and decision_id not like '%:%:%:%'
order by decision_id
