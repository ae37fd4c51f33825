-- How long a step of a day's run took; that of another run takes its place.
insert into day_step (use_case, day, step, place, seconds, began_at)
values (%(use_case)s, %(day)s, %(step)s, %(place)s, %(seconds)s, %(began_at)s)
on conflict (use_case, day, step) do update
set place = excluded.place, seconds = excluded.seconds, began_at = excluded.began_at
