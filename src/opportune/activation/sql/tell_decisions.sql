-- An event a recommendation, for one destination.
with added as (
    insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, message, due_at)
    select %(channel)s || '/decision:' || decision_id, %(channel)s, %(day)s, %(connector)s, profile_id, user_id, '{}',
        json_build_object(
            'type', 'track',
            'event', %(event)s::text,
            'messageId', 'decision:' || decision_id,
            'userId', user_id,
            'timestamp', iso_time(decided_at_us),
            'properties', json_build_object(
                'decision_id', decision_id,
                'use_case', %(use_case)s::text,
                'variant', variant,
                'action', action::json,
                'propensity', propensity
            ),
            'context', json_build_object('opportune', json_build_object('destination', %(destination)s::text))
        )::text,
        %(now)s
    from decided
    where not exists (select from outbox_pruned where use_case = %(channel)s and day = %(day)s)
        and (%(only)s::text is null or exists (
            select from segment_membership as member
            where member.segment = %(only)s and member.left_at is null and member.profile_id = decided.profile_id
        ))
    order by place
    on conflict (key) do nothing
    returning key, user_id
),
told as (
    insert into destination_told (destination, identifier_id)
    select distinct %(destination)s::text, identity_hash('user_id', user_id)
    from added
    order by 2
    on conflict do nothing
)
select count(*)::int as count
from added
