-- What each profile earned over all mature days, as count, mean and spread per variant: the evidence of lift.
with profile as (
    select decisions.variant, decisions.profile_id, sum(rewards.reward) as total
    from decisions
    join rewards on rewards.use_case = decisions.use_case
        and rewards.day = decisions.day and rewards.decision_id = decisions.decision_id
    where decisions.use_case = $use_case and decisions.version = $version
    group by decisions.variant, decisions.profile_id
)
select
    variant,
    count(total) as profiles,
    sum(case when total > 0 then 1 else 0 end)::bigint as rewarded,
    sum(total) as reward_sum,
    avg(total) as reward_mean,
    var_pop(total) * count(total) as m2
from profile
group by variant
order by variant
