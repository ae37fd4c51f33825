-- Of each membership what was said last. A profile is called like an identifier, even when another one took it in:
-- what is called like none was forgotten.
with last as (
    select distinct on (segment, profile_id, entered_at_us) segment, profile_id, entered_at_us, left_at_us
    from membership_heard
    order by segment, profile_id, entered_at_us, said_at_us desc, place desc
)
insert into segment_membership (segment, profile_id, entered_at, left_at)
select last.segment, last.profile_id, to_timestamp(last.entered_at_us / 1e6), to_timestamp(last.left_at_us / 1e6)
from last
where exists (select from identifier where identifier.identifier_id = last.profile_id)
order by last.segment, last.profile_id, last.entered_at_us
on conflict do nothing
