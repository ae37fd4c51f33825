-- A use case is stopped once; who finds the same again changes nothing.
insert into use_case_stop (use_case, day, stopped_at, reason)
values (%(use_case)s, %(day)s, %(now)s, %(reason)s)
on conflict (use_case) where resumed_at is null do nothing
