-- One row a recommendation; a key that is there already stays as it is, whatever became of it. What the profile does
-- not allow is a row, too, so that it stays unsent whatever the profile allows later that day.
with said as (
    select identifier.profile_id, consent.channel, consent.state, consent.said_at_us
    from consent
    join identifier on identifier.identifier_id = consent.identifier_id
    where consent.purpose in (%(purpose)s, '*')
),
newest as (
    select distinct on (recommendation.key) recommendation.key, said.state
    from recommendation
    join identifier as own on own.kind = 'user_id' and own.value = recommendation.user_id
    join said on said.profile_id = own.profile_id and said.channel in (recommendation.channel, '*')
    where %(purpose)s::text is not null
    order by recommendation.key, said.said_at_us desc, said.state desc
),
judged as (
    select recommendation.*,
        %(purpose)s::text is null or coalesce(newest.state, 'unknown') = 'granted'
            or (coalesce(newest.state, 'unknown') = 'unknown' and %(allowed_unless_refused)s) as allowed
    from recommendation
    left join newest using (key)
    where not exists (select from outbox_pruned where use_case = %(use_case)s and day = %(day)s)
),
-- Zones that this server knows as well.
quiet as (
    select distinct recommendation.zone
    from recommendation
    join pg_timezone_names as known on known.name = recommendation.zone
    where %(quiet_from)s::time is not null
),
added as (
    insert into outbox (
        key, use_case, day, connector, profile_id, user_id, properties, due_at, state, reason, purpose, channel,
        zone, quiet_from, quiet_to, ends_on, ends_from
    )
    select key, %(use_case)s, %(day)s, %(connector)s, profile_id, user_id, properties::jsonb,
        greatest(
            %(now)s, coalesce(due_at, (%(day)s::date + make_interval(hours => coalesce(hour, 0))) at time zone 'UTC')
        ),
        case when allowed then 'pending' else 'failed' end,
        case when not allowed then %(reason)s end, %(purpose)s, channel, quiet.zone,
        case when quiet.zone is not null then %(quiet_from)s::time end,
        case when quiet.zone is not null then %(quiet_to)s::time end,
        %(ends_on)s::text[], case when %(ends_on)s::text[] is not null then %(now)s::timestamptz end
    from judged
    left join quiet on quiet.zone = judged.zone
    order by key
    on conflict (key) do nothing
    returning state
)
select count(*) filter (where state = 'pending')::int as count, count(*)::int as added
from added
