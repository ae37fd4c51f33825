-- All computed traits are those of this moment.
insert into computed_as_of (as_of)
values (%(now)s)
on conflict (singleton) do update set as_of = greatest(computed_as_of.as_of, excluded.as_of)
