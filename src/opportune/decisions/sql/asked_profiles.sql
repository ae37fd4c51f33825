-- What is known of the profiles that are asked about, and what was answered before under the same key.
select asked.place, profile.profile_id, profile.last_seen_at, earlier.answer,
    (case when computed_trait.traits is null then profile.traits else profile.traits || computed_trait.traits end) as traits,
    (
        select min(own.value)
        from identifier as own
        where own.profile_id = profile.profile_id and own.kind = 'user_id'
    ) as user_id,
    (
        select coalesce(array_agg(membership.segment), '{}')
        from segment_membership as membership
        where membership.profile_id = profile.profile_id and membership.left_at is null
            and membership.segment = any(%(segments)s)
    ) as segments,
    (
        select coalesce(jsonb_agg(jsonb_build_array(consent.channel, consent.state, consent.said_at_us)), '[]')
        from identifier as own
        join consent on consent.identifier_id = own.identifier_id
        where own.profile_id = profile.profile_id and consent.purpose in (%(purpose)s::text, '*')
            and %(purpose)s::text is not null
    ) as said
from unnest(%(kinds)s::text[], %(values)s::text[], %(use_cases)s::text[], %(requests)s::text[])
    with ordinality as asked (kind, value, use_case, request, place)
join identifier on identifier.kind = asked.kind and identifier.value = canonical_value(asked.kind, asked.value)
join profile on profile.profile_id = identifier.profile_id
left join computed_trait on computed_trait.profile_id = profile.profile_id
left join asked_decision as earlier on earlier.use_case = asked.use_case
    and earlier.profile_id = profile.profile_id and earlier.request = asked.request
