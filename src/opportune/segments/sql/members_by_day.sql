-- How many members each segment has now, and how many entered and left on each of the last days.
select segment, greatest(at, %(since)s) as at, sum(members)::bigint as members, sum(entered)::bigint as entered,
    sum(gone)::bigint as gone
from (
    select segment, date_trunc('day', entered_at) as at, 0 as members, 1 as entered, 0 as gone
    from segment_membership
    where entered_at > %(since)s and entered_at <= %(now)s
    union all
    select segment, date_trunc('day', left_at), 0, 0, 1
    from segment_membership
    where left_at > %(since)s and left_at <= %(now)s
    union all
    select segment, %(now)s::timestamptz, 1, 0, 0
    from segment_membership
    where left_at is null
) as change
group by 1, 2
order by 1, 2
