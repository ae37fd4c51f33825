-- An identifier of each of these profiles, to recognise it by.
select asked.profile_id,
    (
        select identifier.value from identifier
        where identifier.profile_id = asked.profile_id
        order by identifier.kind <> 'user_id', identifier.kind <> 'anonymous_id', identifier.kind, identifier.value
        limit 1
    ) as identifier
from unnest(%(profiles)s::bigint[]) as asked (profile_id)
order by asked.profile_id
