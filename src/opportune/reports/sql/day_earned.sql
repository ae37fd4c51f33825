-- What each profile earned on one mature day, and what of it was left after its costs. Control and holdout are sent
-- nothing, and so cost nothing.
select
    decisions.profile_id,
    decisions.variant,
    count(*) as decisions,
    sum(case when rewards.reward > 0 then 1 else 0 end)::bigint as rewarded,
    sum(rewards.reward) as reward,
    sum(rewards.reward * rewards.reward) as square,
    sum(
        rewards.reward - case
            when decisions.variant in ('control', 'holdout') then 0.0
            else coalesce(decisions.cost, 0.0)
                + case when rewards.reward > 0 then coalesce(decisions.cost_rewarded, 0.0) else 0.0 end
        end
    ) as net
from decisions
join rewards on rewards.decision_id = decisions.decision_id
where decisions.use_case = $use_case and decisions.version = $version and decisions.day = cast($day as date)
    and rewards.use_case = $use_case and rewards.day = cast($day as date)
group by decisions.profile_id, decisions.variant
order by decisions.profile_id, decisions.variant
