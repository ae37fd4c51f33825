-- Each answer once under its key: what is there already stays as it is.
insert into asked_decision (use_case, profile_id, request, decided_at, answer, record)
select each.use_case, each.profile_id, each.request, each.decided_at, each.answer, each.record
from json_to_recordset(%(rows)s::json) as each (
    use_case text, profile_id bigint, request text, decided_at timestamptz, answer text, record text
)
order by each.use_case, each.profile_id, each.request
on conflict (use_case, profile_id, request) do nothing
returning use_case, profile_id, request
