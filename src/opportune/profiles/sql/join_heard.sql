-- What people said is one: evidence like any other, with its time. Returns whom it joins.
with joined as (
    select distinct on (joined_one_id, joined_two_id) joined_one_id, joined_two_id,
        (extract(epoch from decided_at) * 1000000)::bigint as decided_at_us,
        lpad(to_hex(owner_id), 16, '0') || lpad(to_hex(other_id), 16, '0') as review_id
    from identity_decision
    where decision_id = any (%(decisions)s::bigint[]) and joined_one_id is not null and taken_back_at is null
    order by joined_one_id, joined_two_id, decision_id desc
),
linked as (
    insert into identifier_link (owner_id, other_id, occurred_at_us, message_id, source_id, rule, set_aside)
    select joined_one_id, joined_two_id, decided_at_us, review_id, 'opportune', 'decided', 'new'
    from joined
    order by joined_one_id, joined_two_id
    on conflict (owner_id, other_id) do update set
        occurred_at_us = excluded.occurred_at_us, message_id = excluded.message_id, source_id = excluded.source_id,
        rule = excluded.rule, set_aside = excluded.set_aside
    returning owner_id, other_id
)
select one.profile_id, two.profile_id as other_profile_id
from linked
join identifier as one on one.identifier_id = linked.owner_id
join identifier as two on two.identifier_id = linked.other_id
order by one.profile_id, two.profile_id
