-- One row a message and destination, under the message's own id; of its properties and of the profile's traits, those
-- that are listed. Calls of other types than track leave as they came, with the listed traits of an account.
insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, message, due_at)
select located.channel || ':' || located.message_id,
    located.channel,
    (to_timestamp(located.received_at_us / 1e6) at time zone 'UTC')::date,
    located.connector,
    located.profile_id,
    coalesce(located.user_id, located.anonymous_id),
    '{}',
    coalesce(other.message, json_build_object(
        'type', 'track',
        'event', located.event,
        'messageId', located.message_id,
        'userId', located.user_id,
        'anonymousId', located.anonymous_id,
        'timestamp', iso_time(located.occurred_at_us),
        'properties', case
            when located.every_property and located.left_out <> '{}'
                then (coalesce(try_jsonb_object(located.properties), '{}') - located.left_out)::json
            when located.every_property then coalesce(located.properties, '{}')::json
            when located.wished_properties = '{}' then '{}'
            else coalesce(listed.properties, '{}')
        end,
        'context', json_build_object(
            'opportune', json_build_object('destination', located.destination),
            'traits', coalesce(known.traits, '{}')
        )
    )::text),
    to_timestamp(located.received_at_us / 1e6)
from located
left join lateral (
    select json_object_agg(property.key, property.value) as properties
    from jsonb_each(try_jsonb_object(located.properties)) as property
    where not located.every_property and property.key = any (located.wished_properties)
) as listed on true
left join lateral (
    select jsonb_object_agg(trait.key, trait.value) as traits
    from profile
    left join computed_trait as computed on computed.profile_id = profile.profile_id
    cross join lateral jsonb_each(profile.traits || coalesce(computed.traits, '{}')) as trait
    where located.wished_traits <> '{}' and profile.profile_id = located.profile_id
        and trait.key = any (located.wished_traits)
) as known on true
left join lateral (
    select (
        jsonb_build_object(
            'type', located.kind,
            'messageId', located.message_id,
            'userId', located.user_id,
            'anonymousId', located.anonymous_id,
            'timestamp', iso_time(located.occurred_at_us),
            'context', jsonb_build_object('opportune', jsonb_build_object('destination', located.destination))
        )
        || case located.kind
            when 'group' then jsonb_build_object(
                'groupId', own.properties -> 'groupId',
                'traits', (
                    select coalesce(jsonb_object_agg(trait.key, trait.value), '{}')
                    from jsonb_each(try_jsonb_object(located.said)) as trait
                    where trait.key = any (located.wished_traits)
                )
            )
            when 'alias' then jsonb_build_object('previousId', own.properties -> 'previousId')
            else jsonb_build_object(
                'name', own.properties -> 'name',
                'category', own.properties -> 'category',
                'properties', case
                    when located.every_property then own.properties - located.left_out
                    else coalesce(listed.properties, '{}')::jsonb
                end
            )
        end
    )::text as message
    from (select coalesce(try_jsonb_object(located.properties), '{}') as properties) as own
    where located.kind in ('page', 'screen', 'group', 'alias')
) as other on true
where located.kind <> 'profile'
order by located.place
on conflict (key) do nothing
