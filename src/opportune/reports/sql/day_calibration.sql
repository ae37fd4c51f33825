-- What treatment's decisions of one mature day were expected to bring and what they brought, by tenths of the former.
with known as (
    select decisions.expected, rewards.reward,
        row_number() over (order by decisions.expected, decisions.decision_id) as place,
        count(*) over () as total
    from decisions
    join rewards on rewards.decision_id = decisions.decision_id
    where decisions.use_case = $use_case and decisions.version = $version and decisions.day = cast($day as date)
        and decisions.variant = 'treatment' and decisions.expected is not null
        and rewards.use_case = $use_case and rewards.day = cast($day as date)
)
select
    ((place - 1) * 10 // total + 1)::bigint as tenth,
    count(*) as decisions,
    sum(expected) as expected,
    sum(case when reward > 0 then 1 else 0 end)::bigint as rewarded,
    sum(reward) as reward,
    sum(reward * reward) as square
from known
group by (place - 1) * 10 // total
order by tenth
