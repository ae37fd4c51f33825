-- How many entered and left a segment on each day, and how many were in at its end.
with days as (
    select day::date as day
    from generate_series(%(first)s::date, %(last)s::date, interval '1 day') as day
),
came as (
    select (entered_at at time zone 'UTC')::date as day, count(*)::int as entered
    from segment_membership
    where segment = %(segment)s
    group by 1
),
gone as (
    select (left_at at time zone 'UTC')::date as day, count(*)::int as gone
    from segment_membership
    where segment = %(segment)s and left_at is not null
    group by 1
)
select days.day, coalesce(came.entered, 0) as entered, coalesce(gone.gone, 0) as gone,
    coalesce((select sum(before.entered)::int from came as before where before.day <= days.day), 0)
        - coalesce((select sum(before.gone)::int from gone as before where before.day <= days.day), 0) as members
from days
left join came on came.day = days.day
left join gone on gone.day = days.day
order by days.day
