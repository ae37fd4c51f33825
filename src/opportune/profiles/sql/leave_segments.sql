-- A profile that is no more is in no segment. What a refresh holds just now, that refresh ends.
with gone as (
    select membership.segment, membership.profile_id, membership.entered_at
    from segment_membership as membership
    where membership.left_at is null
        and membership.profile_id = any (%(profiles)s::bigint[])
        and not exists (select from identifier where identifier.profile_id = membership.profile_id)
    order by membership.segment, membership.profile_id
    for update skip locked
)
update segment_membership set left_at = greatest(gone.entered_at, %(now)s)
from gone
where segment_membership.segment = gone.segment and segment_membership.profile_id = gone.profile_id
    and segment_membership.entered_at = gone.entered_at
