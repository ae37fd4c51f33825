-- Whether a receiver holds anything of a use case: where none does, nothing has to be looked at.
select exists (select from outbox where use_case = %(use_case)s and state = 'scheduled') as is_any
