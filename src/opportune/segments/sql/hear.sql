-- What some messages say of memberships.
insert into membership_heard (segment, profile_id, entered_at_us, left_at_us, said_at_us, place)
select message.said ->> 'segment', ('x' || (membership.said ->> 0))::bit(64)::bigint, (membership.said ->> 1)::bigint,
    (membership.said ->> 2)::bigint, message.said_at_us, (membership.said ->> 3)::bigint
from (select said_at_us, properties::jsonb as said from hearing) as message
cross join lateral jsonb_array_elements(message.said -> 'memberships') as membership (said)
