-- How many are in one of the segments of an audience and in none of those taken away.
select audience.name,
    (
        select count(distinct membership.profile_id)::int
        from segment_membership as membership
        where membership.left_at is null and audience.segments ? membership.segment
            and not exists (
                select from segment_membership as barred
                where barred.profile_id = membership.profile_id and barred.left_at is null
                    and audience.minus ? barred.segment
            )
    ) as members
from jsonb_to_recordset(%(audiences)s::jsonb) as audience (name text, segments jsonb, minus jsonb)
order by audience.name
