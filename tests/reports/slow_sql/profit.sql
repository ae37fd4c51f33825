-- What each profile earned less what was spent on it over all mature days, as count, mean and spread per variant.
-- Control is sent nothing, and so costs nothing.
with profile as (
    select
        decisions.variant,
        decisions.profile_id,
        sum(
            rewards.reward - case
                when decisions.variant in ('control', 'holdout') then 0.0
                else coalesce(decisions.cost, 0.0)
                    + case when rewards.reward > 0 then coalesce(decisions.cost_rewarded, 0.0) else 0.0 end
            end
        ) as total
    from decisions
    join rewards on rewards.decision_id = decisions.decision_id
    where decisions.use_case = $use_case and decisions.version = $version
    group by decisions.variant, decisions.profile_id
)
select variant, count(total) as profiles, avg(total) as mean, var_pop(total) * count(total) as m2
from profile
group by variant
order by variant
