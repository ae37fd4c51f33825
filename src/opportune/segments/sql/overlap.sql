-- How many members of a segment are in each other one as well, the most first.
select other.segment, count(*)::bigint as shared,
    (
        select count(*) from segment_membership as every where every.segment = other.segment and every.left_at is null
    )::bigint as members
from segment_membership as own
join segment_membership as other
    on other.profile_id = own.profile_id and other.left_at is null and other.segment <> own.segment
where own.segment = %(segment)s and own.left_at is null
group by other.segment
order by shared desc, other.segment
limit %(most)s
