-- Decisions that the log knows and State does not, or not that they were taken back.
insert into identity_decision as known (
    decision_id, owner_id, other_id, decision, joined_one_id, joined_two_id, decided_by, decided_at, taken_back_by,
    taken_back_at
)
select each.decision_id, each.owner_id, each.other_id, each.decision, each.joined_one_id, each.joined_two_id,
    each.decided_by, each.decided_at, each.taken_back_by, each.taken_back_at
from jsonb_to_recordset(%(decisions)s::jsonb) as each (
    decision_id bigint, owner_id bigint, other_id bigint, decision text, joined_one_id bigint, joined_two_id bigint,
    decided_by text, decided_at timestamptz, taken_back_by text, taken_back_at timestamptz
)
where exists (select from identifier_link where owner_id = each.owner_id and other_id = each.other_id)
order by each.decision_id
on conflict (decision_id) do update set
    taken_back_by = excluded.taken_back_by, taken_back_at = excluded.taken_back_at
where known.taken_back_at is null and excluded.taken_back_at is not null
    and known.owner_id = excluded.owner_id and known.other_id = excluded.other_id
returning known.decision_id
