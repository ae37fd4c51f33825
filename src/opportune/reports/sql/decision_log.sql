-- One page of the decisions of a filter, the newest first.
with ranked as (
    select decisions.decision_id, decisions.version, decisions.day, decisions.decided_at_us, decisions.profile_id,
        decisions.variant, decisions.action, decisions.propensity, decisions.explored, decisions.policy_version,
        row_number() over (
            order by decisions.day desc, decisions.decided_at_us desc, decisions.decision_id desc
        ) as place
    from decisions
    left join places on places.version = decisions.version
    where decisions.use_case = $use_case
        and decisions.day between cast($from_day as date) and cast($to_day as date)
        and ($version = 0 or decisions.version = $version)
        and ($variant = '' or decisions.variant = $variant)
        and ($explored < 0 or case when decisions.explored then 1 else 0 end = $explored)
        and ($option = '' or decisions.action[places.position] = $option)
        and ($anybody = 1 or decisions.profile_id between $lowest_id and $highest_id)
        and ($anybody = 1 or exists (select 1 from ids where ids.profile_id = decisions.profile_id))
)
select decision_id, version, day, decided_at_us, profile_id, variant, action, propensity, explored, policy_version
from ranked
where place > $skipped and place <= $skipped + $wanted
order by place
