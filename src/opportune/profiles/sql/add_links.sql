-- New links, and the earlier time of known ones. One between new profiles that are made of it holds; all others are
-- still to be folded. What a person decided stays.
insert into identifier_link (owner_id, other_id, occurred_at_us, message_id, source_id, rule, set_aside)
select candidate.owner_id, candidate.other_id, candidate.occurred_at_us, candidate.message_id, candidate.source_id,
    candidate.rule,
    case when arrival.identifier_id is null then 'new' end
from candidate
left join arrival on arrival.identifier_id = candidate.other_id and arrival.profile_id = candidate.owner_id
order by candidate.owner_id, candidate.other_id
on conflict (owner_id, other_id) do update set
    occurred_at_us = excluded.occurred_at_us,
    message_id = excluded.message_id,
    source_id = excluded.source_id,
    rule = excluded.rule
where identifier_link.rule <> 'decided'
