-- Models of days long decided go; the newest of each version stays, for whoever goes on from it.
delete from model
where day < (
    select max(newest.day) - %(days)s::int
    from model as newest
    where newest.use_case = model.use_case and newest.version = model.version
)
