-- Whose each message is, and what its destination asks for; without what was imported as history, and what a
-- destination has had from here already.
create temporary table located on commit drop as
select outgoing.destination, outgoing.kind, outgoing.message_id, outgoing.event, outgoing.user_id,
    outgoing.anonymous_id, outgoing.occurred_at_us, outgoing.received_at_us, outgoing.properties, outgoing.said,
    outgoing.place,
    wish.channel, wish.connector, wish.traits as wished_traits, wish.properties as wished_properties,
    case when outgoing.kind = 'segment' then '{}' else wish.left_out end as left_out,
    wish.every or outgoing.kind = 'segment' as every_property,
    coalesce(known.profile_id, identity_hash(sender.kind, sender.value)) as profile_id,
    identity_hash(sender.kind, canonical_value(sender.kind, sender.value)) as identifier_id
from outgoing
join jsonb_to_recordset(%(wishes)s::jsonb) as wish (
    destination text, channel text, connector text, traits text[], properties text[], left_out text[], every boolean,
    echoes boolean, only_in text
) on wish.destination = outgoing.destination
cross join lateral (
    select case when outgoing.user_id is null then 'anonymous_id' else 'user_id' end as kind,
        coalesce(outgoing.user_id, outgoing.anonymous_id) as value
) as sender
cross join lateral (select try_jsonb_object(outgoing.context) as context) as marked
left join lateral (
    select identifier.profile_id
    from identifier
    where identifier.identifier_id = identity_hash(sender.kind, canonical_value(sender.kind, sender.value))
    -- Looked up row by row: as a join, every batch would read the whole table.
    offset 0
) as known on true
where (wish.echoes or marked.context #> '{opportune,destination}' is null)
    and (marked.context #> '{import,id}' is null or marked.context #>> '{import,live}' = 'true')
    and (wish.only_in is null or exists (
        select from segment_membership as member
        where member.segment = wish.only_in and member.left_at is null
            and member.profile_id = coalesce(known.profile_id, identity_hash(sender.kind, sender.value))
    ))
    and not exists (
        select from outbox_pruned as pruned
        where pruned.use_case = wish.channel
            and pruned.day = (to_timestamp(outgoing.received_at_us / 1e6) at time zone 'UTC')::date
    )
