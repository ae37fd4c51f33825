-- What is due and waits while it is quiet where its profile lives is due when that ends. Only the first in line: the
-- others have their turn when they are.
with first_due as (
    select key, zone, quiet_from, quiet_to
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s
    order by due_at
    limit %(postponed)s
    for update skip locked
)
update outbox set due_at = quiet_until(%(now)s, first_due.zone, first_due.quiet_from, first_due.quiet_to)
from first_due
where outbox.key = first_due.key
    and quiet_until(%(now)s, first_due.zone, first_due.quiet_from, first_due.quiet_to) is not null
