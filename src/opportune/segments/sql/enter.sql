-- Whoever was found and is not in enters; who is in already stays in since the same time.
insert into segment_membership (segment, profile_id, entered_at)
select %(segment)s, member.profile_id, %(now)s
from member
where not exists (
    select from segment_membership as current
    where current.segment = %(segment)s and current.profile_id = member.profile_id and current.left_at is null
)
order by member.profile_id
on conflict (segment, profile_id, entered_at) do update set left_at = null
returning profile_id
