-- Decisions of some profiles, and whether their rewards are in.
with mature as (
    select distinct use_case, day from rewards
)
select decisions.decision_id, decisions.variant, mature.day is not null as mature
from decisions
semi join asked on asked.profile_id = decisions.profile_id
left join mature on mature.use_case = decisions.use_case and mature.day = decisions.day
order by decisions.decision_id
