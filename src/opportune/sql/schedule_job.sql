-- A job exists once, however often it is scheduled.
insert into job (kind, key, payload, due_at)
values (%(kind)s, %(key)s, %(payload)s::jsonb, %(due_at)s)
on conflict (kind, key) do nothing
