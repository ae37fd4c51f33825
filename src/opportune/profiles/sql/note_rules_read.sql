-- All stored events were read by that version.
insert into events_read (subject, version)
values (%(subject)s, %(version)s)
on conflict (subject) do update set version = excluded.version
