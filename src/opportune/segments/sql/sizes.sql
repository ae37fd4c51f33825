-- How many members these segments have now.
select segment, count(*)::int as members
from segment_membership
where left_at is null and segment = any (%(segments)s::text[])
group by segment
order by segment
