-- A message a change, removals first; what is told of one identifier leaves in the order in which it was put in.
with told as (
    insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, message, due_at)
    select wish.channel || '/' || numbered.message_id,
        wish.channel,
        (%(now)s::timestamptz at time zone 'UTC')::date,
        wish.connector,
        numbered.identifier_id,
        numbered.value,
        '{}',
        case
            when wish.audience_as = 'identify' then json_build_object(
                'type', 'identify',
                'messageId', numbered.message_id,
                'userId', case when numbered.kind = 'user_id' then numbered.value end,
                'anonymousId', case when numbered.kind = 'anonymous_id' then numbered.value end,
                'timestamp', iso_time(%(now_us)s),
                'traits', coalesce(known.traits, '{}') || jsonb_build_object(numbered.audience, numbered.is_in),
                'context', numbered.context
            )
            else json_build_object(
                'type', 'track',
                'event', case when numbered.is_in then %(entered)s::text else %(exited)s::text end,
                'messageId', numbered.message_id,
                'userId', case when numbered.kind = 'user_id' then numbered.value end,
                'anonymousId', case when numbered.kind = 'anonymous_id' then numbered.value end,
                'timestamp', iso_time(%(now_us)s),
                'properties', json_build_object('audience_key', numbered.audience, numbered.audience, numbered.is_in),
                'context', numbered.context || jsonb_build_object('traits', coalesce(known.traits, '{}'))
            )
        end::text,
        %(now)s
    from (
        select change.*,
            -- Says nothing of anybody, and is never used twice, not even after a backup was restored.
            'audience:' || %(now_us)s::bigint || '-' || nextval('audience_message') as message_id,
            jsonb_build_object(
                'opportune', jsonb_build_object('destination', change.destination),
                'personas', jsonb_build_object(
                    'computation_class', 'audience', 'computation_key', change.audience,
                    'computation_id', change.audience
                )
            ) as context
        from audience_change as change
        where change.is_in <> change.was_in
    ) as numbered
    join jsonb_to_recordset(%(wishes)s::jsonb) as wish (
        destination text, channel text, connector text, audience_as text, traits text[]
    ) on wish.destination = numbered.destination
    left join lateral (
        select jsonb_object_agg(trait.key, trait.value) as traits
        from profile
        left join computed_trait as computed on computed.profile_id = profile.profile_id
        cross join lateral jsonb_each(profile.traits || coalesce(computed.traits, '{}')) as trait
        where wish.traits <> '{}' and profile.profile_id = numbered.profile_id and trait.key = any (wish.traits)
    ) as known on true
    order by numbered.is_in, numbered.audience, numbered.identifier_id
    returning 1
)
select count(*)::int as count
from told
