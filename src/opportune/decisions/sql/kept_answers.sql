-- What was answered under these keys.
select asked_decision.use_case, asked_decision.profile_id, asked_decision.request, asked_decision.answer
from unnest(%(use_cases)s::text[], %(profile_ids)s::bigint[], %(requests)s::text[]) as each (use_case, profile_id, request)
join asked_decision using (use_case, profile_id, request)
