-- What a day came to; who sums it up again writes the same again. Null edges: those that are there stay.
insert into day_summary (use_case, version, day, decisions, variants, choices, edges, earned, totals, audience, calibration)
values (
    %(use_case)s, %(version)s, %(day)s, %(decisions)s, %(variants)s::jsonb, %(choices)s::jsonb, %(edges)s::jsonb,
    %(earned)s::jsonb, %(totals)s::jsonb, %(audience)s::jsonb,
    %(calibration)s::jsonb
)
on conflict (use_case, version, day) do update
set decisions = excluded.decisions, variants = excluded.variants, choices = excluded.choices, edges = coalesce(excluded.edges, day_summary.edges),
    earned = excluded.earned, totals = excluded.totals, audience = excluded.audience,
    calibration = excluded.calibration
