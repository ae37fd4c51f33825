-- One row a recommendation; a key that is there already stays as it is, whatever became of it.
with added as (
    insert into outbox (key, use_case, day, connector, profile_id, user_id, properties, due_at)
    select key, %(use_case)s, %(day)s, %(connector)s, profile_id, user_id, properties::jsonb,
        greatest(%(now)s, (%(day)s::date + make_interval(hours => coalesce(hour, 0))) at time zone 'UTC')
    from recommendation
    where not exists (select from outbox_pruned where use_case = %(use_case)s and day = %(day)s)
    order by key
    on conflict (key) do nothing
    returning key
)
select count(*)::int as count
from added
