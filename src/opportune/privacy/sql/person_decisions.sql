-- What was decided for a person, with what it earned where that is known.
select decisions.decision_id, decisions.use_case, decisions.version, decisions.day, decisions.variant, decisions.action,
    decisions.propensity, decisions.policy_version, decisions.explored, decisions.decided_at, decisions.due_at,
    decisions.zone, rewards.reward, rewards.matured_at
from decisions
semi join asked on asked.profile_id = decisions.profile_id
left join rewards on rewards.decision_id = decisions.decision_id
order by decisions.decision_id
