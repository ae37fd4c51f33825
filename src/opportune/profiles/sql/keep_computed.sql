-- Writes the computed values of those profiles whose values changed.
with changed as (
    insert into computed_trait as known (profile_id, traits, changed_at)
    select value.profile_id, value.traits::jsonb, %(now)s
    from computed_value as value
    left join computed_trait as before on before.profile_id = value.profile_id
    where before.traits is null or before.traits <> value.traits::jsonb
    order by value.profile_id
    on conflict (profile_id) do update set traits = excluded.traits, changed_at = excluded.changed_at
    returning profile_id
)
select count(*)::int as count
from changed
