-- What people decided that the log is still to be told, as it stands now. Neither cut nor decision: it is gone.
select untold.place, untold.cut_id, untold.decision_id,
    lpad(to_hex(cut.identifier_id), 16, '0') as identifier, lpad(to_hex(cut.anchor_id), 16, '0') as anchor,
    array(select lpad(to_hex(each), 16, '0') from unnest(cut.apart_from) as each order by each) as apart_from,
    cut.reason, cut.cut_by, cut.cut_at, cut.restored_by, cut.restored_at,
    lpad(to_hex(decision.owner_id), 16, '0') as owner, lpad(to_hex(decision.other_id), 16, '0') as other,
    decision.decision, lpad(to_hex(decision.joined_one_id), 16, '0') as joined_one,
    lpad(to_hex(decision.joined_two_id), 16, '0') as joined_two,
    decision.decided_by, decision.decided_at, decision.taken_back_by, decision.taken_back_at
from identity_untold as untold
left join identity_cut as cut on cut.cut_id = untold.cut_id
left join identity_decision as decision on decision.decision_id = untold.decision_id
order by untold.place
limit %(limit)s
