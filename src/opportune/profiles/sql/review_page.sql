-- One page of the links that wait for a person, the newest first, each with both profiles; and how many wait in all, so
-- that there is always a row.
with waiting as not materialized (
    select owner_id, other_id, set_aside, occurred_at_us, message_id, source_id, rule
    from identifier_link
    where set_aside in ('two_known', 'limit', 'size', 'apart') and decision is null
        and (
            %(profile_id)s::bigint is null
            or owner_id in (select identifier_id from identifier where profile_id = %(profile_id)s::bigint)
            or other_id in (select identifier_id from identifier where profile_id = %(profile_id)s::bigint)
        )
),
page as materialized (
    select *
    from waiting
    order by occurred_at_us desc, owner_id, other_id
    limit %(rows)s offset %(skip)s
),
named as materialized (
    select page.*,
        owner.kind as owner_kind, owner.value as owner_value, owner.profile_id as owner_profile_id,
        other.kind as other_kind, other.value as other_value, other.profile_id as other_profile_id
    from page
    join identifier as owner on owner.identifier_id = page.owner_id
    join identifier as other on other.identifier_id = page.other_id
),
side as materialized (
    select profile.profile_id, profile.traits, profile.first_seen_at, profile.last_seen_at,
        own.identifiers, own.identifier_count, own.events
    from (
        select owner_profile_id as profile_id from named
        union
        select other_profile_id from named
    ) as meant
    join profile using (profile_id)
    cross join lateral (
        select count(*) as identifier_count,
            jsonb_agg(jsonb_build_array(mine.kind, mine.value) order by mine.place)
                filter (where mine.place <= %(identifiers)s) as identifiers,
            coalesce(sum(mine.events), 0)::bigint as events
        from (
            select identifier.kind, identifier.value,
                row_number() over (
                    order by identifier.kind <> 'user_id', identifier.kind, identifier.linked_at, identifier.value
                ) as place,
                (
                    select sum(event_hour.events)
                    from event_hour
                    where event_hour.identifier_id = identifier.identifier_id
                        and event_hour.hour >= %(since_hour)s
                        -- Without consent to its past, an identifier has none from before it was linked.
                        and (
                            not profile.past_apart or identifier.kind = 'user_id'
                            or event_hour.hour >= floor(extract(epoch from identifier.linked_at) / 3600)
                        )
                ) as events
            from identifier
            where identifier.profile_id = profile.profile_id
        ) as mine
    ) as own
)
select counted.total,
    lpad(to_hex(named.owner_id), 16, '0') || lpad(to_hex(named.other_id), 16, '0') as review_id,
    named.set_aside as reason, named.occurred_at_us, named.message_id, named.source_id, named.rule,
    named.owner_kind, named.owner_value, named.owner_profile_id,
    named.other_kind, named.other_value, named.other_profile_id,
    to_jsonb(owner_side) as owner_side, to_jsonb(other_side) as other_side
from (select count(*) as total from waiting) as counted
left join named on true
left join side as owner_side on owner_side.profile_id = named.owner_profile_id
left join side as other_side on other_side.profile_id = named.other_profile_id
order by named.occurred_at_us desc, named.owner_id, named.other_id
