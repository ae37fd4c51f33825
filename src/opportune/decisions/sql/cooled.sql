-- Options that a profile had too lately, each once: those of a contact that is nearer than their cool-down.
select distinct holders.profile_id, asked.dimension, asked.choice
from decisions
join days on days.day = decisions.day
join holders on holders.user_id = decisions.user_id
join asked on asked.version = decisions.version and decisions.action[asked.position] = asked.name
where decisions.use_case = $use_case and decisions.due_at is not null
    and abs(days.number + cast(floor((epoch_us(decisions.due_at) - decisions.decided_at_us) / 86400000000) as bigint))
        < asked.days
order by holders.profile_id, asked.dimension, asked.choice
