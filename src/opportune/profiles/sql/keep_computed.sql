-- Writes the computed values of those profiles whose values changed. A whole number is written as one.
with value as (
    select profile_id, jsonb_object_agg(
        name,
        case
            when number is null then to_jsonb(text)
            when number = trunc(number) and abs(number) < 1e15 then to_jsonb(number::bigint)
            else to_jsonb(number)
        end
    ) as traits
    from computed_value
    group by profile_id
),
changed as (
    insert into computed_trait as known (profile_id, traits, changed_at)
    select value.profile_id, value.traits, %(now)s
    from value
    order by value.profile_id
    on conflict (profile_id) do update set traits = excluded.traits, changed_at = excluded.changed_at
    where known.traits <> excluded.traits
    returning profile_id
)
select count(*)::int as count
from changed
