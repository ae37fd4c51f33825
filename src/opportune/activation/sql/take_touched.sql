-- Some of those who may have come or gone; they are looked at in the same transaction.
with chosen as (
    select ctid as place
    from audience_touched
    limit %(limit)s
    for update skip locked
),
taken as (
    delete from audience_touched
    using chosen
    where audience_touched.ctid = chosen.place
    returning audience_touched.profile_id
)
insert into touched (profile_id)
select distinct profile_id
from taken
order by profile_id
returning profile_id
