-- The newest decision on a link that is in force. No row: there is none.
select decision_id, decision
from identity_decision
where owner_id = %(owner_id)s and other_id = %(other_id)s and taken_back_at is null
order by decision_id desc
limit 1
