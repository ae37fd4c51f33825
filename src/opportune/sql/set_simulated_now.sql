-- Moves the simulated clock.
insert into simulated_clock (now) values (%(now)s)
on conflict (singleton) do update set now = excluded.now
