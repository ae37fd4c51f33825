-- What is kept of who was made anonymous is in State alone, and when they were active is not kept.
with nobody as (
    select identifier_id, profile_id
    from opportune_rebuild.identifier
    where kind = 'anonymous_id' and value ~ '^forgotten-[0-9a-f]{32}$'
),
quiet as (
    delete from opportune_rebuild.event_hour
    using nobody
    where event_hour.identifier_id = nobody.identifier_id
)
update opportune_rebuild.profile as built set traits = live.traits
from nobody
join profile as live on live.profile_id = nobody.profile_id
where built.profile_id = nobody.profile_id
