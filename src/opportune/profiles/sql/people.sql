-- One page of people: found by text, segment, id or a part of a column, in an order that a person chose.
with page as (
    select found.profile_id,
        person_number(
            %(sort)s::text, %(trait)s::text, found.traits, found.first_seen_at, found.last_seen_at
        ) as number_key,
        lower(person_text(%(sort)s::text, %(trait)s::text, found.traits)) as text_key
    from people_found(
        %(search)s::text, %(segment)s::text, %(ids)s::bigint[], %(picked)s::text, %(picked_sort)s::text,
        %(picked_trait)s::text, %(low)s::double precision, %(high)s::double precision, %(said)s::text
    ) as found
    order by
        case when %(descending)s then person_number(
            %(sort)s::text, %(trait)s::text, found.traits, found.first_seen_at, found.last_seen_at
        ) end desc nulls last,
        case when not %(descending)s then person_number(
            %(sort)s::text, %(trait)s::text, found.traits, found.first_seen_at, found.last_seen_at
        ) end nulls last,
        case when %(descending)s then lower(person_text(%(sort)s::text, %(trait)s::text, found.traits)) end desc nulls last,
        case when not %(descending)s then lower(person_text(%(sort)s::text, %(trait)s::text, found.traits)) end nulls last,
        found.profile_id
    limit %(rows)s offset %(skip)s
)
select page.profile_id, profile.traits, profile.first_seen_at, profile.last_seen_at,
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
