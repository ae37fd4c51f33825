-- Memberships begin and end, whoever moved is told of, and the next moments are noted; returns who moved. Most answers
-- are what they were: those rows are read one by one, and not written.
with known as materialized (
    select verdict.segment, verdict.profile_id, verdict.holds, verdict.wake_at_us, current.entered_at,
        asleep.wake_at_us as noted_us
    from verdict
    left join lateral (
        select membership.entered_at
        from segment_membership as membership
        where membership.segment = verdict.segment and membership.profile_id = verdict.profile_id
            and membership.left_at is null
        offset 0
    ) as current on true
    left join lateral (
        select wake.wake_at_us
        from segment_wake as wake
        where wake.segment = verdict.segment and wake.profile_id = verdict.profile_id
        offset 0
    ) as asleep on true
),
gone as (
    update segment_membership set left_at = greatest(%(now)s, segment_membership.entered_at)
    from known
    where not known.holds and known.entered_at is not null and segment_membership.segment = known.segment
        and segment_membership.profile_id = known.profile_id and segment_membership.entered_at = known.entered_at
    returning segment_membership.segment, segment_membership.profile_id
),
come as (
    insert into segment_membership (segment, profile_id, entered_at)
    select segment, profile_id, %(now)s
    from known
    where holds and entered_at is null
    order by segment, profile_id
    on conflict (segment, profile_id, entered_at) do update set left_at = null
    returning segment, profile_id
),
asleep as (
    insert into segment_wake (segment, profile_id, wake_at_us)
    select segment, profile_id, wake_at_us
    from known
    -- Too early does no harm, and most of the time costs less than to write the row.
    where wake_at_us is not null and (noted_us is null or noted_us > wake_at_us or noted_us <= %(now_us)s)
    order by segment, profile_id
    on conflict (segment, profile_id) do update set wake_at_us = excluded.wake_at_us
),
awake as (
    delete from segment_wake
    using known
    where known.wake_at_us is null and known.noted_us is not null and segment_wake.segment = known.segment
        and segment_wake.profile_id = known.profile_id
),
moved as (
    select segment, profile_id, true as entered from come
    union all
    select segment, profile_id, false as entered from gone
),
told as (
    insert into segment_change (segment, profile_id, entered, changed_at, by_history)
    select segment, profile_id, entered, %(now)s, %(history)s and profile_id <> all (%(lively)s::bigint[])
    from moved
    order by segment, profile_id
)
select segment, profile_id, entered
from moved
order by segment, profile_id
