-- How often each option was chosen for treatment, per day and dimension.
select
    decisions.day,
    dimensions.dimension,
    decisions.action[dimensions.position] as choice,
    count(*) as decisions
from decisions
cross join dimensions
where decisions.use_case = $use_case and decisions.version = $version
    and decisions.variant = 'treatment' and decisions.day >= cast($from_day as date)
group by decisions.day, dimensions.dimension, decisions.action[dimensions.position]
order by decisions.day, dimensions.dimension, choice
