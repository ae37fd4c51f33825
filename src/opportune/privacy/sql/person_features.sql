-- What was known of a person when a day was decided, in numbers.
select features.use_case, features.version, features.day, features."values"
from features
semi join asked on asked.profile_id = features.profile_id
order by features.day, features.use_case, features.version
