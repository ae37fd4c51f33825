-- What profiles earned so far, as count, mean and spread per variant: the evidence of lift. Beside it what they brought
-- before anything was decided of them, and how much of the one goes with the other.
select
    variant,
    count(reward) as profiles,
    sum(case when reward > 0 then 1 else 0 end)::bigint as rewarded,
    sum(reward) as reward_sum,
    avg(reward) as reward_mean,
    var_pop(reward) * count(reward) as m2,
    avg(net) as net_mean,
    var_pop(net) * count(net) as net_m2,
    count(earlier) as earlier_profiles,
    coalesce(avg(earlier), 0.0) as earlier_mean,
    coalesce(var_pop(earlier) * count(earlier), 0.0) as earlier_m2,
    coalesce(covar_pop(reward, earlier) * count(earlier), 0.0) as comoment
from totals
group by variant
order by variant
