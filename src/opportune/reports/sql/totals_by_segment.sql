-- What the members of each segment earned so far, per variant: the evidence of lift.
select
    members.segment,
    totals.variant,
    count(totals.reward) as profiles,
    sum(case when totals.reward > 0 then 1 else 0 end)::bigint as rewarded,
    sum(totals.reward) as reward_sum,
    avg(totals.reward) as reward_mean,
    var_pop(totals.reward) * count(totals.reward) as m2
from totals
join members on members.profile_id = totals.profile_id
group by members.segment, totals.variant
order by members.segment, totals.variant
