-- How many decisions cost how much, and whether their rewards are still open or have come. Few rows: few costs differ.
select
    coalesce(decisions.cost, 0.0) as cost,
    coalesce(decisions.cost_rewarded, 0.0) as cost_rewarded,
    rewards.reward is null as is_open,
    coalesce(rewards.reward, 0.0) > 0 as is_rewarded,
    count(*) as decisions
from decisions
left join rewards on rewards.decision_id = decisions.decision_id
where decisions.use_case = $use_case and decisions.variant not in ('control', 'holdout')
    and (decisions.cost > 0 or decisions.cost_rewarded > 0)
group by 1, 2, 3, 4
order by 1, 2, 3, 4
