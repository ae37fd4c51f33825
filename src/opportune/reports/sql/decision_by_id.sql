-- One decision as it was logged.
select decision_id, use_case, version, day, decided_at_us, profile_id, variant, action, propensity, explored, policy_version,
    dimension_propensities, eligible, shadow_price
from decisions
where decision_id = $decision_id and day = cast($day as date)
order by decision_id
