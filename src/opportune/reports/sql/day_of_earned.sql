-- What the decisions of one day earned, per variant.
select
    variant,
    sum(decisions)::bigint as decisions,
    sum(rewarded)::bigint as rewarded,
    sum(reward) as reward_sum,
    sum(square) as reward_square
from earned
group by variant
order by variant
