-- What the groups brought of a metric up to a day; who sums up again writes the same again.
insert into report_metric (use_case, version, metric, through, counted, groups)
values (%(use_case)s, %(version)s, %(metric)s, %(through)s, %(counted)s::jsonb, %(groups)s::jsonb)
on conflict (use_case, version, metric) do update
set through = excluded.through, counted = excluded.counted, groups = excluded.groups
