-- A decision that made this cut is taken back with it: the link waits for a person again.
update identifier_link set decision = null, decided_by = null, decided_at = null
from identity_cut as cut
where cut.cut_id = %(cut_id)s and identifier_link.decision = 'move'
    and identifier_link.other_id = cut.identifier_id and identifier_link.owner_id <> identifier_link.other_id
    and cut.reason = 'review ' || lpad(to_hex(identifier_link.owner_id), 16, '0')
        || lpad(to_hex(identifier_link.other_id), 16, '0')
