-- Who is in the first segments that are defined, by every id that the lake may know them by.
select member.segment, identifier.identifier_id as profile_id
from segment_membership as member
join identifier on identifier.profile_id = member.profile_id
where member.left_at is null
    and member.segment in (
        select name from definition where kind = 'segment' group by name order by name limit %(most)s
    )
order by member.segment, identifier.identifier_id
