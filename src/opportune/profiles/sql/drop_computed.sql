-- Profiles without any computed value now, or that are not there any more; only those noted, where not all are asked.
with dropped as (
    delete from computed_trait
    where not exists (
        select from computed_value where computed_value.profile_id = computed_trait.profile_id
    )
    and (
        %(everybody)s
        or profile_id in (select noted.profile_id from computed_note as noted where noted.note_id <= %(upto)s)
    )
    returning profile_id
)
select count(*)::int as count
from dropped
