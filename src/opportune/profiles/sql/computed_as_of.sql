-- All computed traits are those of this moment, or newer.
insert into computed_as_of (as_of, defined)
values (%(now)s, %(defined)s)
on conflict (singleton) do update set
    as_of = greatest(computed_as_of.as_of, excluded.as_of),
    defined = excluded.defined
