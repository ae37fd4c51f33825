-- Cuts that the log knows and State does not, or not that they were restored. Whoever was forgotten is in none.
with told as (
    select each.*
    from jsonb_to_recordset(%(cuts)s::jsonb) as each (
        cut_id bigint, identifier_id bigint, anchor_id bigint, apart_from bigint[], reason text, cut_by text,
        cut_at timestamptz, restored_by text, restored_at timestamptz
    )
    where exists (select from identifier where identifier.identifier_id = each.identifier_id)
        and exists (select from identifier where identifier.identifier_id = each.anchor_id)
),
heard as (
    insert into identity_cut as known (
        cut_id, identifier_id, anchor_id, apart_from, reason, cut_by, cut_at, restored_by, restored_at
    )
    select cut_id, identifier_id, anchor_id, apart_from, reason, cut_by, cut_at, restored_by, restored_at
    from told
    order by cut_id
    on conflict (cut_id) do update set restored_by = excluded.restored_by, restored_at = excluded.restored_at
    where known.restored_at is null and excluded.restored_at is not null
        and known.identifier_id = excluded.identifier_id and known.anchor_id = excluded.anchor_id
    returning known.identifier_id, known.anchor_id
)
select one.profile_id, two.profile_id as other_profile_id
from heard
join identifier as one on one.identifier_id = heard.identifier_id
join identifier as two on two.identifier_id = heard.anchor_id
order by one.profile_id, two.profile_id
