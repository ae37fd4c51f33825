-- These segments, how many are in each, and whether it follows every event.
select asked.segment,
    (
        select count(*)::int from segment_membership as membership
        where membership.segment = asked.segment and membership.left_at is null
    ) as members,
    exists (
        select from live_segment where live_segment.segment = asked.segment and live_segment.filled_at is not null
    ) as follows,
    (select count(*)::int from profile) as everybody
from unnest(%(segments)s::text[]) as asked (segment)
order by asked.segment
