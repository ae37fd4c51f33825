-- What was known, done and earned on some days, for profiles that a policy decided for, the champion's
-- too, of versions of a use case whose lessons mean the
-- same: when the day was decided, or when a decision was asked for.
select coalesce(asked_features."values", features."values") as "values", decisions.action, decisions.propensity, rewards.reward,
    rewards.began_at_us
from decisions
join rewards on rewards.decision_id = decisions.decision_id
left join asked_features on asked_features.decision_id = decisions.decision_id
left join features on features.use_case = decisions.use_case
    and features.version = decisions.version
    and features.day = decisions.day and features.profile_id = decisions.profile_id
where decisions.use_case = $use_case and decisions.day >= cast($since as date) and decisions.day <= cast($until as date)
    and list_contains($versions, decisions.version) and (decisions.variant in ('treatment', 'random') or (decisions.variant = 'champion' and decisions.policy_version like '%:champion/%'))
    and coalesce(asked_features.profile_id, features.profile_id) is not null
order by decisions.decision_id
