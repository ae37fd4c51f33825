-- One page of people, and how many there are in all: found by text, segment or id, in an order that a person chose.
with found as (
    select profile.profile_id,
        case %(sort)s
            when 'last_seen' then extract(epoch from profile.last_seen_at)::double precision
            when 'first_seen' then extract(epoch from profile.first_seen_at)::double precision
            -- beyond the range of a double, numbers are sorted as the largest there are
            when 'trait' then case
                when jsonb_typeof(profile.traits -> %(trait)s) = 'number'
                    then greatest(least((profile.traits ->> %(trait)s)::numeric, 1e300), -1e300)::double precision
            end
        end as number_key,
        case %(sort)s
            when 'name' then lower(coalesce(
                profile.traits ->> 'name', profile.traits ->> 'firstName', profile.traits ->> 'first_name',
                profile.traits ->> 'email'
            ))
            when 'trait' then lower(profile.traits ->> %(trait)s)
        end as text_key
    from profile
    where (
        %(segment)s::text is null
        or exists (
            select from segment_membership as membership
            where membership.segment = %(segment)s and membership.profile_id = profile.profile_id
                and membership.left_at is null
        )
    )
    and (%(ids)s::bigint[] is null or profile.profile_id = any (%(ids)s::bigint[]))
    and (
        %(search)s::text is null
        or position(lower(%(search)s) in lower(concat_ws(
            ' ', profile.traits ->> 'name', profile.traits ->> 'firstName', profile.traits ->> 'first_name',
            profile.traits ->> 'lastName', profile.traits ->> 'last_name', profile.traits ->> 'email'
        ))) > 0
        or exists (
            select from identifier
            where identifier.profile_id = profile.profile_id
                and starts_with(lower(identifier.value), lower(%(search)s))
        )
    )
),
page as (
    select profile_id, number_key, text_key
    from found
    order by
        case when %(descending)s then number_key end desc nulls last,
        case when not %(descending)s then number_key end nulls last,
        case when %(descending)s then text_key end desc nulls last,
        case when not %(descending)s then text_key end nulls last,
        profile_id
    limit %(rows)s offset %(skip)s
)
select page.profile_id, (select count(*) from found) as total, profile.traits, profile.first_seen_at, profile.last_seen_at,
    coalesce((
        select jsonb_agg(
            jsonb_build_object('kind', identifier.kind, 'value', identifier.value)
            order by identifier.kind <> 'user_id', identifier.kind, identifier.linked_at, identifier.value
        )
        from identifier
        where identifier.profile_id = page.profile_id
    ), '[]') as identifiers,
    array(
        select membership.segment
        from segment_membership as membership
        where membership.profile_id = page.profile_id and membership.left_at is null
        order by membership.segment
    ) as segments
from page
join profile on profile.profile_id = page.profile_id
order by
    case when %(descending)s then page.number_key end desc nulls last,
    case when not %(descending)s then page.number_key end nulls last,
    case when %(descending)s then page.text_key end desc nulls last,
    case when not %(descending)s then page.text_key end nulls last,
    page.profile_id
