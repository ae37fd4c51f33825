-- What profiles earned so far, as count, mean and spread per variant: the evidence of lift.
select
    variant,
    count(reward) as profiles,
    sum(case when reward > 0 then 1 else 0 end)::bigint as rewarded,
    sum(reward) as reward_sum,
    avg(reward) as reward_mean,
    var_pop(reward) * count(reward) as m2,
    avg(net) as net_mean,
    var_pop(net) * count(net) as net_m2
from totals
group by variant
order by variant
