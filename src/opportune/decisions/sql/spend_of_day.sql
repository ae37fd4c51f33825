-- How many decisions of a day may cost how much. Few rows: few costs differ.
select coalesce(cost, 0.0) + coalesce(cost_rewarded, 0.0) as cost, count(*) as decisions
from decisions
where use_case = $use_case and day = cast($day as date) and variant not in ('control', 'holdout')
    and (cost > 0 or cost_rewarded > 0)
group by 1
order by 1
