-- What a segment was given on a day, or earned up to it; who sums up again writes the same again.
insert into day_segment (use_case, version, day, segment, choices, totals)
values (%(use_case)s, %(version)s, %(day)s, %(segment)s, %(choices)s::jsonb, %(totals)s::jsonb)
on conflict (use_case, version, day, segment) do update
set choices = coalesce(excluded.choices, day_segment.choices), totals = coalesce(excluded.totals, day_segment.totals)
