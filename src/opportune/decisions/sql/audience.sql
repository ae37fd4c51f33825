-- Who is decided for: in any of the segments and in none of the ones taken away, reachable by a user id.
select profile.profile_id, min(identifier.value) as user_id, profile.traits::text as traits
from profile
join identifier on identifier.profile_id = profile.profile_id and identifier.kind = 'user_id'
where exists (
        select from segment_membership as member
        where member.profile_id = profile.profile_id and member.left_at is null
            and member.segment = any(%(segments)s)
    )
    and not exists (
        select from segment_membership as member
        where member.profile_id = profile.profile_id and member.left_at is null
            and member.segment = any(%(minus)s)
    )
group by profile.profile_id
order by profile.profile_id
