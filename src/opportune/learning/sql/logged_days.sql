-- The days of each version of a use case whose rewards are in, and how many decisions of them can be learned from.
select decisions.version, decisions.day, count(*) as decisions
from decisions
join rewards on rewards.decision_id = decisions.decision_id
where decisions.use_case = $use_case and (decisions.variant in ('treatment', 'random') or (decisions.variant = 'champion' and decisions.policy_version like '%:champion/%'))
group by decisions.version, decisions.day
order by decisions.version, decisions.day
