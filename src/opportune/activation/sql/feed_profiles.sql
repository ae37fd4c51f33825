-- What is known now of profiles that identify calls spoke of: the listed traits, null for one that is not known, where
-- they are not what the destination was told last.
with news as (
    select distinct on (destination, profile_id) *
    from located
    where kind = 'profile'
    order by destination, profile_id, occurred_at_us desc, place desc
),
known as (
    select news.destination, news.profile_id, told.traits, told.nothing,
        sha256(convert_to(told.traits::text, 'UTF8')) as digest
    from news
    join profile on profile.profile_id = news.profile_id
    left join computed_trait as computed on computed.profile_id = news.profile_id
    cross join lateral (
        select jsonb_object_agg(name, coalesce(computed.traits -> name, profile.traits -> name)) as traits,
            bool_and(coalesce(computed.traits -> name, profile.traits -> name) is null) as nothing
        from unnest(news.wished_traits) as wished (name)
    ) as told
),
told as (
    insert into destination_profile (destination, profile_id, digest)
    select known.destination, known.profile_id, known.digest
    from known
    left join lateral (
        select true as told
        from destination_profile
        where destination_profile.destination = known.destination
            and destination_profile.profile_id = known.profile_id
        -- Looked up row by row: as a join, every batch would read the whole table.
        offset 0
    ) as before on true
    where not known.nothing or before.told
    order by known.destination, known.profile_id
    on conflict (destination, profile_id) do update set digest = excluded.digest
    where destination_profile.digest <> excluded.digest
    returning destination, profile_id
)
insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, message, due_at)
select news.channel || '/profile:' || news.message_id,
    news.channel,
    (to_timestamp(news.received_at_us / 1e6) at time zone 'UTC')::date,
    news.connector,
    news.profile_id,
    coalesce(news.user_id, news.anonymous_id),
    '{}',
    json_build_object(
        'type', 'identify',
        -- No longer than a message id may be.
        'messageId', 'profile:' || case when char_length(news.message_id) > 90 then md5(news.message_id)
            else news.message_id end,
        'userId', news.user_id,
        'anonymousId', news.anonymous_id,
        'timestamp', iso_time(news.occurred_at_us),
        'traits', known.traits,
        'context', json_build_object('opportune', json_build_object('destination', news.destination))
    )::text,
    to_timestamp(news.received_at_us / 1e6)
from news
join told on told.destination = news.destination and told.profile_id = news.profile_id
join known on known.destination = news.destination and known.profile_id = news.profile_id
order by news.place
on conflict (key) do nothing
