-- Adds what a micro-batch received to its minutes, and forgets those of more than two days ago.
with given as (
    select timestamptz 'epoch' + given.minute * interval '1 minute' as minute, given.accepted, given.flagged,
        given.rejected
    from jsonb_to_recordset(%(rows)s::jsonb) as given (minute bigint, accepted bigint, flagged bigint, rejected bigint)
),
newest as materialized (
    select greatest(
        (select max(minute) from given), (select max(minute) from received_minute)
    ) as minute
),
forgotten as (
    delete from received_minute
    using newest
    where received_minute.minute < newest.minute - interval '2 days'
)
insert into received_minute as known (minute, accepted, flagged, rejected)
select given.minute, given.accepted, given.flagged, given.rejected
from given
cross join newest
where given.minute >= newest.minute - interval '2 days'
order by given.minute
on conflict (minute) do update set
    accepted = known.accepted + excluded.accepted,
    flagged = known.flagged + excluded.flagged,
    rejected = known.rejected + excluded.rejected
