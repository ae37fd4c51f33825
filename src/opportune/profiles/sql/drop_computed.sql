-- Profiles without any computed value now, or that are not there any more.
with dropped as (
    delete from computed_trait
    where not exists (
        select from computed_value where computed_value.profile_id = computed_trait.profile_id
    )
    returning profile_id
)
select count(*)::int as count
from dropped
