-- Links as the decisions about them say: of the newest that is in force.
update identifier_link set
    decision = newest.decision, decided_by = newest.decided_by, decided_at = newest.decided_at
from (
    select heard.owner_id, heard.other_id, inforce.decision, inforce.decided_by, inforce.decided_at
    from identity_decision as heard
    left join lateral (
        select each.decision, each.decided_by, each.decided_at
        from identity_decision as each
        where each.owner_id = heard.owner_id and each.other_id = heard.other_id and each.taken_back_at is null
        order by each.decision_id desc
        limit 1
    ) as inforce on true
    where heard.decision_id = any (%(decisions)s::bigint[])
) as newest
where identifier_link.owner_id = newest.owner_id and identifier_link.other_id = newest.other_id
