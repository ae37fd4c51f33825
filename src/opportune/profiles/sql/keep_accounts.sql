-- What group calls tell of accounts: each trait as it was said last.
with said as (
    select properties ->> 'groupId' as account_id, occurred_at_us, message_id, coalesce(traits, '{}') as traits
    from (
        select try_jsonb_object(properties) as properties, try_jsonb_object(traits) as traits, occurred_at_us, message_id
        from call
    ) as document
    where char_length(properties ->> 'groupId') between 1 and 500
),
spoken as (
    select account_id, min(occurred_at_us) as first_us, max(occurred_at_us) as last_us
    from said
    group by account_id
),
newest as (
    select distinct on (said.account_id, trait.key)
        said.account_id, trait.key, trait.value,
        -- Of two messages of the same microsecond always the same one is the later.
        (said.occurred_at_us + ('x' || left(md5(said.message_id), 7))::bit(28)::int / 1e9)::text as said_at
    from said
    cross join lateral jsonb_each(said.traits) as trait
    order by said.account_id, trait.key,
        said.occurred_at_us + ('x' || left(md5(said.message_id), 7))::bit(28)::int / 1e9 desc, said.message_id collate "C" desc
),
telling as (
    select account_id, jsonb_object_agg(said_at, traits) as told
    from (
        select account_id, said_at, jsonb_object_agg(key, value) as traits
        from newest
        group by account_id, said_at
    ) as by_message
    group by account_id
)
insert into account as known (account_id, told, first_seen_at_us, last_seen_at_us)
select spoken.account_id, coalesce(telling.told, '{}'), spoken.first_us, spoken.last_us
from spoken
left join telling using (account_id)
order by spoken.account_id
on conflict (account_id) do update set
    told = coalesce(merged_told(known.told, excluded.told), '{}'),
    first_seen_at_us = least(known.first_seen_at_us, excluded.first_seen_at_us),
    last_seen_at_us = greatest(known.last_seen_at_us, excluded.last_seen_at_us)
