-- Tell every destination that was ever told of who is to be forgotten: a webhook or a file to delete the person, Segment's
-- source, which has no such call, to take it out of the audiences it was told. Nothing else of them is sent any more.
with receiver as (
    select distinct on (name) name as destination, body ->> 'connector' as connector,
        body ->> 'audience_as' as audience_as, 'destination/' || name as channel
    from definition
    where kind = 'destination'
    order by name, version desc
),
unsent as (
    delete from outbox
    where message is not null and state <> 'sent' and strpos(key, '/forgotten:') = 0
        and profile_id in (
            select identifier_id from privacy_subject union all select profile_id from privacy_subject
        )
    returning use_case
),
counted as (
    insert into outbox_total (use_case, state, reason, count)
    select use_case, 'failed', 'the person was forgotten', count(*)
    from unsent
    group by use_case
    on conflict (use_case, state, reason) do update set count = outbox_total.count + excluded.count
),
told as (
    delete from destination_told as known
    using privacy_subject as subject
    where known.identifier_id = subject.identifier_id
    returning known.destination, subject.identifier_id, subject.kind, subject.value
),
published as (
    delete from audience_published as known
    using privacy_subject as subject, audience_publication as publication
    where known.identifier_id = subject.identifier_id and publication.publication_id = known.publication_id
    returning publication.destination, publication.audience, known.identifier_id, known.kind, known.value
),
notice as (
    select destination, identifier_id, kind, value, null as audience
    from told
    join receiver using (destination)
    where receiver.connector <> 'segment'
    union all
    select destination, identifier_id, kind, value, audience
    from published
    join receiver using (destination)
    where receiver.connector = 'segment'
)
insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, message, due_at)
select receiver.channel || '/' || named.message_id, receiver.channel,
    (%(now)s::timestamptz at time zone 'UTC')::date, receiver.connector, named.identifier_id, named.value, '{}',
    case
        when named.audience is null then named.head || jsonb_build_object('type', 'delete', 'event', 'User Deleted')
        when receiver.audience_as = 'identify' then named.head
            || jsonb_build_object('type', 'identify', 'traits', jsonb_build_object(named.audience, false))
        else named.head || jsonb_build_object(
            'type', 'track',
            'event', 'Audience Exited',
            'properties', jsonb_build_object('audience_key', named.audience, named.audience, false)
        )
    end::text,
    %(now)s
from (
    select notice.*, numbered.message_id,
        jsonb_build_object(
            'messageId', numbered.message_id,
            'userId', case when notice.kind = 'user_id' then notice.value end,
            'anonymousId', case when notice.kind = 'anonymous_id' then notice.value end,
            'timestamp', iso_time(%(now_us)s),
            'context', jsonb_build_object('opportune', jsonb_build_object('destination', notice.destination))
        ) as head
    from notice
    -- Says nothing of anybody; that it belongs to the row makes it one of its own.
    cross join lateral (
        select 'forgotten:' || replace(gen_random_uuid()::text, '-', '') as message_id
        where notice.identifier_id is not null
    ) as numbered
) as named
join receiver using (destination)
order by named.destination, named.identifier_id
