-- The newest decided days: how many were decided in each variant, and what each decision earned if that is known yet.
with newest as (
    select distinct day
    from decisions
    where use_case = $use_case and version = $version and variant <> 'shadow'
    order by day desc
    limit $most_days
)
select
    decisions.day,
    decisions.variant,
    count(*) as decisions,
    count(rewards.reward) as matured,
    avg(rewards.reward) as reward_mean,
    avg(case when decisions.explored then 1.0 else 0.0 end) as exploration_share
from decisions
join newest on newest.day = decisions.day
left join rewards on rewards.use_case = decisions.use_case
    and rewards.day = decisions.day and rewards.decision_id = decisions.decision_id
where decisions.use_case = $use_case and decisions.version = $version and decisions.variant <> 'shadow'
group by decisions.day, decisions.variant
order by decisions.day, decisions.variant
