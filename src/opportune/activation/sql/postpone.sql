-- What is due and waits while it is quiet where its profile lives is due when that ends. Only the first in line: the
-- others have their turn when they are.
with first_due as (
    select key, quiet_until(%(now)s, zone, quiet_from, quiet_to) as until
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s and quiet_from is not null
    order by due_at
    limit %(postponed)s
)
update outbox set due_at = first_due.until
from first_due
where outbox.key = first_due.key and first_due.until is not null
