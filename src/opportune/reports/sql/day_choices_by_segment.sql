-- How often each option was chosen for treatment on one day, per segment and dimension.
select members.segment, dimensions.dimension, decisions.action[dimensions.position] as choice, count(*) as decisions
from decisions
join members on members.profile_id = decisions.profile_id
cross join dimensions
where decisions.use_case = $use_case and decisions.version = $version
    and decisions.variant = 'treatment' and decisions.day = cast($day as date)
group by members.segment, dimensions.dimension, decisions.action[dimensions.position]
order by members.segment, dimensions.dimension, choice
