-- The cuts that are in force between these identifiers.
select cut_id, identifier_id, anchor_id, apart_from
from identity_cut
where restored_at is null and (identifier_id = any (%(identifiers)s) or anchor_id = any (%(identifiers)s))
order by cut_id
