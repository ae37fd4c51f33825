-- A page of the members of a segment, each with an identifier to recognise it by.
select membership.profile_id, membership.entered_at,
    (
        select identifier.value from identifier
        where identifier.profile_id = membership.profile_id
        order by identifier.kind <> 'user_id', identifier.kind <> 'anonymous_id', identifier.kind, identifier.value
        limit 1
    ) as identifier
from segment_membership as membership
where membership.segment = %(segment)s and membership.left_at is null and membership.profile_id > %(after)s
order by membership.profile_id
limit %(limit)s
