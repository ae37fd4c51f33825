-- Memberships begin and end, whoever moved is told of, and the next moments are noted; returns who moved.
with gone as (
    update segment_membership set left_at = greatest(%(now)s, segment_membership.entered_at)
    from verdict
    where not verdict.holds and segment_membership.segment = verdict.segment
        and segment_membership.profile_id = verdict.profile_id and segment_membership.left_at is null
    returning segment_membership.segment, segment_membership.profile_id
),
come as (
    insert into segment_membership (segment, profile_id, entered_at)
    select verdict.segment, verdict.profile_id, %(now)s
    from verdict
    where verdict.holds and not exists (
        select from segment_membership as current
        where current.segment = verdict.segment and current.profile_id = verdict.profile_id and current.left_at is null
    )
    order by verdict.segment, verdict.profile_id
    on conflict (segment, profile_id, entered_at) do update set left_at = null
    returning segment, profile_id
),
asleep as (
    insert into segment_wake (segment, profile_id, wake_at_us)
    select segment, profile_id, wake_at_us
    from verdict
    where wake_at_us is not null
    order by segment, profile_id
    on conflict (segment, profile_id) do update set wake_at_us = excluded.wake_at_us
    -- Too early does no harm, and most of the time costs less than to write the row.
    where segment_wake.wake_at_us > excluded.wake_at_us or segment_wake.wake_at_us <= %(now_us)s
),
awake as (
    delete from segment_wake
    using verdict
    where verdict.wake_at_us is null and segment_wake.segment = verdict.segment
        and segment_wake.profile_id = verdict.profile_id
),
moved as (
    select segment, profile_id, true as entered from come
    union all
    select segment, profile_id, false as entered from gone
),
told as (
    insert into segment_change (segment, profile_id, entered, changed_at)
    select segment, profile_id, entered, %(now)s
    from moved
    order by segment, profile_id
)
select segment, profile_id, entered
from moved
order by segment, profile_id
