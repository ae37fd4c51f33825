-- What people decided about links of these identifiers, or of all; the newest first.
select lpad(to_hex(decision.owner_id), 16, '0') || lpad(to_hex(decision.other_id), 16, '0') as review_id,
    decision.decision, decision.decided_by, decision.decided_at, decision.taken_back_by, decision.taken_back_at,
    owner.kind as owner_kind, owner.value as owner_value, other.kind as other_kind, other.value as other_value
from identity_decision as decision
join identifier as owner on owner.identifier_id = decision.owner_id
join identifier as other on other.identifier_id = decision.other_id
where %(identifiers)s::bigint[] is null
    or decision.owner_id = any (%(identifiers)s::bigint[]) or decision.other_id = any (%(identifiers)s::bigint[])
order by decision.decision_id desc
limit %(limit)s
