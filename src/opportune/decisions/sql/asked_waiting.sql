-- Answers that the lake does not have yet: first those of a commit that may have been made, then the oldest of the rest.
select place, batch, profile_id, answer, record
from asked_decision
where kept_at is null
order by batch nulls last, place
limit %(limit)s
for update
