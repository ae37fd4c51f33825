-- When something was decided first of some profiles, in any version: what they did before that, nothing of ours had moved.
select decisions.profile_id, min(decisions.decided_at_us) as first_us
from decisions
semi join asked on asked.profile_id = decisions.profile_id
-- Nothing was sent of what was decided in shadow.
where decisions.use_case = $use_case and decisions.variant <> 'shadow' and decisions.day <= cast($day as date)
group by decisions.profile_id
order by decisions.profile_id
