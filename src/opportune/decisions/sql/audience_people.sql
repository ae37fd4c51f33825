-- How many are in an audience now, and the first of them.
with audience as (
    select profile_id
    from segment_membership
    where left_at is null and segment = any(%(segments)s)
    except
    select profile_id
    from segment_membership
    where left_at is null and segment = any(%(minus)s)
),
first as (
    select profile_id from audience order by profile_id limit %(most)s
)
select (select count(*) from audience) as people,
    (select coalesce(array_agg(profile_id order by profile_id), '{}') from first) as profile_ids
