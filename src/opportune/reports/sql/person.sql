-- Everything that is known of one profile now, by any of its identifiers, as one row; or of one identifier as if it had
-- never been seen with another.
with asked as materialized (
    select profile_id, identifier_id
    from identifier
    where identifier_id = coalesce(
        %(identifier_id)s::bigint, identity_hash(%(kind)s, canonical_value(%(kind)s, %(value)s))
    )
),
own as materialized (
    select here.identifier_id, here.kind, here.value, here.linked_at, here.told,
        here.first_seen_at_us, here.last_seen_at_us, here.sighted_at_us
    from asked
    join identifier as here on here.profile_id = asked.profile_id
    where not %(alone)s or here.identifier_id = asked.identifier_id
),
known as materialized (
    select case when %(alone)s then own.identifier_id else profile.profile_id end as profile_id,
        case when %(alone)s then newest_traits(array[coalesce(own.told, '{}')]) else profile.traits end as traits,
        case when %(alone)s
            then to_timestamp(coalesce(own.first_seen_at_us, own.sighted_at_us) / 1e6)
            else profile.first_seen_at
        end as first_seen_at,
        case when %(alone)s
            then to_timestamp(coalesce(own.last_seen_at_us, own.sighted_at_us) / 1e6)
            else profile.last_seen_at
        end as last_seen_at
    from asked
    join profile using (profile_id)
    join own using (identifier_id)
)
select known.profile_id, known.first_seen_at, known.last_seen_at,
    (
        select jsonb_agg(
            jsonb_build_object('kind', kind, 'value', value, 'linked_at', linked_at)
            order by linked_at, kind, value
        )
        from own
    ) as identifiers,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object(
                'name', trait.key, 'value', trait.value, 'said_at_us', floor(told.said_at::numeric)::bigint,
                'source_id', telling.source_id, 'message_id', telling.message_id
            )
            order by trait.key
        ), '[]')
        from jsonb_each(known.traits) as trait
        left join lateral (
            select said.key as said_at
            from own
            cross join lateral jsonb_each(own.told) as said
            where said.value -> trait.key = trait.value
            order by said.key::numeric desc
            limit 1
        ) as told on true
        left join lateral (
            select telling.source_id, telling.message_id
            from own
            join telling using (identifier_id)
            where telling.said_at = told.said_at
            order by telling.message_id collate "C"
            limit 1
        ) as telling on true
    ) as traits,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object(
                'purpose', said.purpose, 'channel', said.channel, 'state', said.state, 'said_at_us', said.said_at_us,
                'source_id', said.source_id, 'message_id', said.message_id, 'evidence', said.evidence
            )
            order by said.purpose, said.channel
        ), '[]')
        from (
            select distinct on (consent.purpose, consent.channel) consent.*
            from own
            join consent using (identifier_id)
            order by consent.purpose, consent.channel, consent.said_at_us desc, consent.state desc
        ) as said
    ) as consent,
    (
        select newest.zone
        from own
        cross join lateral (
            select event_hour.zone, event_hour.zone_at_us
            from event_hour
            where event_hour.identifier_id = own.identifier_id and event_hour.zone is not null
            order by event_hour.hour desc
            limit 1
        ) as newest
        order by newest.zone_at_us desc, newest.zone
        limit 1
    ) as zone,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object('segment', segment, 'entered_at', entered_at) order by segment
        ), '[]')
        from segment_membership
        where profile_id = known.profile_id and left_at is null and not %(alone)s
    ) as segments,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object('account_id', joined.account_id, 'joined_at_us', joined.joined_at_us)
            order by joined.joined_at_us desc, joined.account_id
        ), '[]')
        from (
            select member.account_id, min(member.joined_at_us) as joined_at_us
            from own
            join account_member as member using (identifier_id)
            group by member.account_id
            order by 2 desc, 1
            limit %(accounts)s
        ) as joined
    ) as accounts,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object(
                'decision_id', newest.key, 'use_case', newest.use_case, 'day', newest.day,
                'action', newest.properties, 'due_at', newest.due_at, 'state', newest.state,
                'reason', newest.reason, 'purpose', newest.purpose, 'channel', newest.channel,
                'attempted_at', newest.attempted_at
            )
            order by newest.due_at desc, newest.key
        ), '[]')
        from (
            select sent.*
            from own
            cross join lateral (
                select outbox.*
                from outbox
                where own.kind = 'user_id' and outbox.user_id = own.value
                order by outbox.due_at desc
                limit %(messages)s
            ) as sent
            order by sent.due_at desc, sent.key
            limit %(messages)s
        ) as newest
    ) as messages
from known
