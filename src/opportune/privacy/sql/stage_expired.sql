-- Profiles known by nothing but identifiers of kinds that expire, and quiet for longer than all of these allow. Being in
-- a segment or getting a message is no sign of life: only events of the profile itself move last_seen_at.
create temporary table expired on commit drop as
select profile.profile_id
from profile
where profile.last_seen_at < %(now)s - make_interval(days => %(least)s)
    and not exists (
        select from identifier
        left join unnest(%(kinds)s::text[], %(days)s::int[]) as allowed (kind, days) on allowed.kind = identifier.kind
        where identifier.profile_id = profile.profile_id
            and (allowed.kind is null or profile.last_seen_at >= %(now)s - make_interval(days => allowed.days))
    )
    and exists (select from identifier where identifier.profile_id = profile.profile_id)
    and not exists (
        select from outbox
        where outbox.profile_id = profile.profile_id and outbox.state in ('pending', 'reserved', 'scheduled', 'unknown')
    )
order by profile.profile_id
limit %(limit)s
