-- What was known, allowed, done and earned on a day, for those of one version who were sent what a policy drew.
select decisions.profile_id, coalesce(asked_features."values", features."values") as "values", decisions.eligible,
    coalesce(asked_features.forbidden, features.forbidden, 0) as forbidden, coalesce(asked_features.recent, features.recent) as recent, decisions.action,
    decisions.propensity, decisions.dimension_propensities, rewards.reward
from decisions
join rewards on rewards.decision_id = decisions.decision_id
left join asked_features on asked_features.decision_id = decisions.decision_id
left join features on features.use_case = decisions.use_case
    and features.version = decisions.version
    and features.day = decisions.day and features.profile_id = decisions.profile_id
where decisions.use_case = $use_case and decisions.version = $version and decisions.day = cast($day as date)
    and (decisions.variant in ('treatment', 'random') or (decisions.variant = 'champion' and decisions.policy_version like '%:champion/%'))
    and coalesce(asked_features.profile_id, features.profile_id) is not null
order by decisions.decision_id
