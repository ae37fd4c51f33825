-- What was known of a person when a day was decided, in numbers, and why nothing was decided where that is so.
select features.use_case, features.version, features.day, features."values", features.zone, features.reason
from features
semi join asked on asked.profile_id = features.profile_id
order by features.day, features.use_case, features.version
