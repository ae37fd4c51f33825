-- One identifier as if it had never been seen with another: what its own messages said, and nothing else.
select identifier_id as profile_id,
    (
        select coalesce(jsonb_object_agg(trait.key, trait.value) filter (where trait.value <> 'null'), '{}')
        from jsonb_each(coalesce(told, '{}')) as said
        cross join lateral jsonb_each(said.value) as trait
    ) as traits,
    to_timestamp(coalesce(first_seen_at_us, sighted_at_us) / 1e6) as first_seen_at,
    to_timestamp(coalesce(last_seen_at_us, sighted_at_us) / 1e6) as last_seen_at,
    jsonb_build_array(jsonb_build_object('kind', kind, 'value', value)) as identifiers,
    '[]'::jsonb as segments
from identifier
where kind = %(kind)s and value = canonical_value(%(kind)s, %(value)s)
