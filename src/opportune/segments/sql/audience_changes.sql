-- Whom a destination is still to remove from an audience, and whom to add, by the identifier that it was or will be
-- told: the user id, or of a visitor the newest anonymous id.
with member as (
    select profile_id from segment_membership where left_at is null and segment = any (%(segments)s::text[])
    except
    select profile_id from segment_membership where left_at is null and segment = any (%(minus)s::text[])
),
addressed as (
    select distinct on (identifier.profile_id) identifier.kind, identifier.value
    from member
    join identifier on identifier.profile_id = member.profile_id and identifier.kind in ('user_id', 'anonymous_id')
    order by identifier.profile_id, identifier.kind desc,
        case when identifier.kind = 'anonymous_id' then identifier.linked_at end desc, identifier.value
),
known as (
    select kind, value
    from audience_published
    where audience = %(audience)s and destination = %(destination)s
)
select coalesce(addressed.kind, known.kind) as kind, coalesce(addressed.value, known.value) as value,
    known.kind is null as added
from addressed
full join known on known.kind = addressed.kind and known.value = addressed.value
where addressed.kind is null or known.kind is null
order by added, kind, value
limit %(limit)s
