-- The cut counts no more; both sides may have moved since. No row: there is no such cut in force.
with restored as (
    update identity_cut set restored_by = %(by)s, restored_at = %(now)s
    where cut_id = %(cut_id)s and restored_at is null
    returning identifier_id, anchor_id
)
select one.profile_id, two.profile_id as other_profile_id
from restored
join identifier as one on one.identifier_id = restored.identifier_id
join identifier as two on two.identifier_id = restored.anchor_id
