-- How many are in each of two segments, and in both.
select count(*) filter (where in_one)::int as one, count(*) filter (where in_other)::int as other,
    count(*) filter (where in_one and in_other)::int as both
from (
    select profile_id, bool_or(segment = %(one)s) as in_one, bool_or(segment = %(other)s) as in_other
    from segment_membership
    where left_at is null and segment in (%(one)s, %(other)s)
    group by profile_id
) as member
