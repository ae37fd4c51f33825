-- The decision is history, and its link waits for a person again.
with gone as (
    update identity_decision set taken_back_by = %(by)s, taken_back_at = %(now)s
    where decision_id = %(decision_id)s
    returning owner_id, other_id
)
update identifier_link set decision = null, decided_by = null, decided_at = null
from gone
where identifier_link.owner_id = gone.owner_id and identifier_link.other_id = gone.other_id
