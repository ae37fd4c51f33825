-- What was known of a person when a day was decided, or when the decision that is named was asked for, in numbers; and
-- why nothing was decided where that is so.
select features.use_case, features.version, features.day, '' as decision_id, features."values", features.zone, features.reason
from features
semi join asked on asked.profile_id = features.profile_id
union all
select asked_features.use_case, asked_features.version, asked_features.day, asked_features.decision_id,
    asked_features."values", nullif(asked_features.use_case, asked_features.use_case) as zone,
    nullif(asked_features.use_case, asked_features.use_case) as reason
from asked_features
semi join asked on asked.profile_id = asked_features.profile_id
order by day, use_case, version, decision_id
