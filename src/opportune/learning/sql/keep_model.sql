-- A day's model is kept once: a second run decides with the same one. No row: it was kept before.
insert into model (
    use_case, version, day, trained_through, body, lessons, learner, warm_start, provisional, waiting
)
values (
    %(use_case)s, %(version)s, %(day)s, %(trained_through)s, %(body)s, %(lessons)s::jsonb, %(learner)s::jsonb,
    %(warm_start)s::jsonb, %(provisional)s, %(waiting)s
)
on conflict (use_case, version, day) do nothing
returning day
