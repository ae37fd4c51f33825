-- What some messages say of memberships. Each is parsed once, and not for every membership in it.
insert into membership_heard (segment, profile_id, entered_at_us, left_at_us, said_at_us, place)
with message as materialized (
    select said_at_us, properties::jsonb as said
    from hearing
),
part as materialized (
    select said_at_us, said ->> 'segment' as segment, said -> 'memberships' as memberships
    from message
)
select part.segment, ('x' || (membership.said ->> 0))::bit(64)::bigint, (membership.said ->> 1)::bigint,
    (membership.said ->> 2)::bigint, part.said_at_us, (membership.said ->> 3)::bigint
from part
cross join lateral jsonb_array_elements(part.memberships) as membership (said)
