-- One profile by any of its identifiers, with all of them and its current segments.
select
    profile.profile_id, profile.traits, profile.first_seen_at, profile.last_seen_at,
    (
        select jsonb_agg(jsonb_build_object('kind', every.kind, 'value', every.value) order by every.kind, every.value)
        from identifier as every where every.profile_id = profile.profile_id
    ) as identifiers,
    (
        select coalesce(jsonb_agg(membership.segment order by membership.segment), '[]')
        from segment_membership as membership
        where membership.profile_id = profile.profile_id and membership.left_at is null
    ) as segments
from identifier
join profile on profile.profile_id = identifier.profile_id
where identifier.kind = %(kind)s and identifier.value = canonical_value(%(kind)s, %(value)s)
