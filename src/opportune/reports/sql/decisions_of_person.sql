-- The newest decisions for one profile before a moment.
select decisions.decided_at_us, decisions.decision_id, decisions.use_case, decisions.day, decisions.variant,
    to_json(decisions.action) as action, decisions.propensity, decisions.explored, decisions.policy_version
from decisions
where decisions.profile_id between $lowest_id and $highest_id
    and exists (select 1 from ids where ids.profile_id = decisions.profile_id)
    and decisions.decided_at_us between $from_us and $before_us
    and (decisions.decided_at_us < $before_us or decisions.decision_id < $before_id)
order by decisions.decided_at_us desc, decisions.decision_id desc
limit $wanted
