-- Profiles that were sent as much within so many days as a cap allows; in control as well, so that both groups stay alike.
with contact as (
    select holders.profile_id, asked.name, asked.days, asked.choice, count(*) as sends
    from decisions
    join days on days.day = decisions.day
    join holders on holders.user_id = decisions.user_id
    join asked on asked.name = '' or asked.name = decisions.use_case
    where decisions.due_at is not null
        and abs(days.number + cast(floor((epoch_us(decisions.due_at) - decisions.decided_at_us) / 86400000000) as bigint))
            < asked.days
    group by holders.profile_id, asked.name, asked.days, asked.choice
)
select distinct profile_id
from contact
where sends >= choice
order by profile_id
