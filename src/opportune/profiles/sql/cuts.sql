-- Every cut between these identifiers and others, restored or not.
select cut.cut_id, cut.reason, cut.cut_by, cut.cut_at, cut.restored_by, cut.restored_at,
    one.kind, one.value, two.kind as anchor_kind, two.value as anchor_value
from identity_cut as cut
join identifier as one on one.identifier_id = cut.identifier_id
join identifier as two on two.identifier_id = cut.anchor_id
where cut.cut_id = %(cut_id)s
    or cut.identifier_id = any (%(identifiers)s::bigint[]) or cut.anchor_id = any (%(identifiers)s::bigint[])
order by cut.cut_id
