-- Each answer once under its key: what is there already stays as it is.
insert into asked_decision (use_case, profile_id, request, decided_at, answer, record)
select each.use_case, each.profile_id, each.request, each.decided_at, each.answer, each.record
from unnest(
    %(use_cases)s::text[], %(profile_ids)s::bigint[], %(requests)s::text[], %(times)s::timestamptz[],
    %(answers)s::text[], %(records)s::text[]
) as each (use_case, profile_id, request, decided_at, answer, record)
order by each.use_case, each.profile_id, each.request
on conflict (use_case, profile_id, request) do nothing
returning use_case, profile_id, request
