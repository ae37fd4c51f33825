-- When a profile entered and left segments, the newest first.
select at_us, id
from (
    select (extract(epoch from entered_at) * 1000000)::bigint as at_us, 'entered:' || segment as id
    from segment_membership
    where profile_id = %(profile_id)s
    union all
    select (extract(epoch from left_at) * 1000000)::bigint, 'left:' || segment
    from segment_membership
    where profile_id = %(profile_id)s and left_at is not null
) as change
where at_us >= %(from_us)s
    and (at_us < %(before_us)s or (at_us = %(before_us)s and id collate "C" < %(before_id)s))
order by at_us desc, id collate "C" desc
limit %(wanted)s
