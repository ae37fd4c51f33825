-- How often each option was chosen for treatment on one day, per dimension.
select dimensions.dimension, decisions.action[dimensions.position] as choice, count(*) as decisions
from decisions
cross join dimensions
where decisions.use_case = $use_case and decisions.version = $version
    and decisions.variant = 'treatment' and decisions.day = cast($day as date)
group by dimensions.dimension, decisions.action[dimensions.position]
order by dimensions.dimension, choice
