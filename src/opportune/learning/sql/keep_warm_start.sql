-- A warm start waits as the model of version 0, unless rewards were learned meanwhile; a newer one takes its place.
insert into model (use_case, version, day, body, lessons, learner, warm_start)
select %(use_case)s, 0, %(day)s, %(body)s, %(lessons)s::jsonb, %(learner)s::jsonb, %(warm_start)s::jsonb
where not exists (
    select
    from model
    where use_case = %(use_case)s and version > 0 and trained_through is not null
        and (version = %(version)s or version < %(version)s and learner = %(learner)s::jsonb)
)
on conflict (use_case, version, day) do update set
    body = excluded.body, lessons = excluded.lessons, learner = excluded.learner, warm_start = excluded.warm_start
where (model.body, model.learner, model.warm_start)
    is distinct from (excluded.body, excluded.learner, excluded.warm_start)
returning version
