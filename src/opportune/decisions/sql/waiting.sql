-- Profiles whose last contact came with a cadence that lets them wait still.
with contact as (
    select holders.profile_id, asked.days,
        days.number + cast(floor((epoch_us(decisions.due_at) - decisions.decided_at_us) / 86400000000) as bigint)
            as number,
        row_number() over (
            partition by holders.profile_id
            order by decisions.day desc, decisions.decided_at_us desc, decisions.decision_id desc
        ) as place
    from decisions
    join days on days.day = decisions.day
    join holders on holders.user_id = decisions.user_id
    left join asked on asked.version = decisions.version and decisions.action[asked.position] = asked.name
    where decisions.use_case = $use_case and decisions.due_at is not null
)
select profile_id
from contact
where place = 1 and number + days > 0
order by profile_id
