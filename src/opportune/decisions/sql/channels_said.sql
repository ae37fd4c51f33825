-- What profiles said of some channels for one purpose: a bit for each channel that they spoke of, and for each they
-- allow. Of a purpose and every purpose, a channel and every channel, the newest statement counts, and of two the refusal.
with newest as (
    select distinct on (identifier.profile_id, channel.place) identifier.profile_id, channel.place, consent.state
    from consent
    join identifier on identifier.identifier_id = consent.identifier_id
    join unnest(%(channels)s::text[]) with ordinality as channel (name, place)
        on consent.channel in (channel.name, '*')
    where consent.purpose in (%(purpose)s, '*')
    order by identifier.profile_id, channel.place, consent.said_at_us desc, consent.state desc
)
select profile_id,
    coalesce(bit_or(1::bigint << (place - 1)::int) filter (where state <> 'unknown'), 0) as said,
    coalesce(bit_or(1::bigint << (place - 1)::int) filter (where state = 'granted'), 0) as granted
from newest
group by profile_id
order by profile_id
