-- Whether a send of the use case is due and not settled; each part has an index of its own.
select (
    exists (select from outbox where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s)
    or exists (select from outbox where use_case = %(use_case)s and state in ('reserved', 'unknown'))
    or exists (select from outbox where use_case = %(use_case)s and state = 'scheduled' and held_until <= %(now)s)
) as is_open
