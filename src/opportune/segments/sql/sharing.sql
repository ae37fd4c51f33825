-- Which other segments share most members with one, how many, and how many they have.
select other.segment, count(*)::int as shared,
    (
        select count(*)::int from segment_membership as every
        where every.segment = other.segment and every.left_at is null
    ) as members
from segment_membership as own
join segment_membership as other
    on other.profile_id = own.profile_id and other.left_at is null and other.segment <> own.segment
where own.segment = %(segment)s and own.left_at is null
group by other.segment
order by shared desc, other.segment
limit %(most)s
