-- A decision that made this cut is taken back with it: the link waits for a person again.
with reopened as (
    update identifier_link set decision = null, decided_by = null, decided_at = null
    from identity_cut as cut
    where cut.cut_id = %(cut_id)s and identifier_link.decision = 'move'
        and identifier_link.other_id = cut.identifier_id and identifier_link.owner_id <> identifier_link.other_id
        and cut.reason = 'review ' || lpad(to_hex(identifier_link.owner_id), 16, '0')
            || lpad(to_hex(identifier_link.other_id), 16, '0')
    returning identifier_link.owner_id, identifier_link.other_id
)
update identity_decision set taken_back_by = %(by)s, taken_back_at = %(now)s
from reopened
where identity_decision.owner_id = reopened.owner_id and identity_decision.other_id = reopened.other_id
    and identity_decision.decision = 'move' and identity_decision.taken_back_at is null
