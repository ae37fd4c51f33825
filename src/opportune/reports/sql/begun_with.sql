-- Where the newest policy of a version has what it knew before its use case began.
select
    warm_start ->> 'source' as source,
    warm_start ->> 'digest' as digest,
    warm_start ->> 'outcome' as outcome,
    (warm_start ->> 'rows')::bigint as rows,
    (warm_start ->> 'left_out')::bigint as left_out,
    (warm_start ->> 'share')::double precision as share
from (
    select warm_start
    from model
    where use_case = %(use_case)s and version = %(version)s
    order by day desc
    limit 1
) as newest
where warm_start is not null
