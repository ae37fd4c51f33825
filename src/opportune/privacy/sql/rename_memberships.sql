-- Who is made anonymous stays counted where they were.
with renamed as (
    update segment_membership set profile_id = forgotten.new_id
    from forgotten
    where segment_membership.profile_id = forgotten.old_id and not forgotten.erases
    returning 1
)
select 'segment_membership' as table_name, count(*)::int as rows
from renamed
