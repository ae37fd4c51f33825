-- What was known, done and earned, for treated profiles of one version of the use case.
select features."values", decisions.action, decisions.propensity, rewards.reward
from decisions
join rewards on rewards.decision_id = decisions.decision_id
join features on features.use_case = decisions.use_case
    and features.version = decisions.version
    and features.day = decisions.day and features.profile_id = decisions.profile_id
where decisions.use_case = $use_case and decisions.day = cast($day as date)
    and decisions.version = $version and decisions.variant in ('treatment', 'random')
order by decisions.decision_id
