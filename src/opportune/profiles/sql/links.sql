-- All evidence about these identifiers, what was set aside included.
select owner.kind as owner_kind, owner.value as owner_value, other.kind as other_kind, other.value as other_value,
    link.occurred_at_us, link.message_id, link.source_id, link.rule, link.set_aside,
    link.decision, link.decided_by, link.decided_at
from (
    select *
    from identifier_link
    where owner_id = any (%(identifiers)s::bigint[]) and owner_id <> other_id
    union
    select *
    from identifier_link
    where other_id = any (%(identifiers)s::bigint[]) and owner_id <> other_id
) as link
join identifier as owner on owner.identifier_id = link.owner_id
join identifier as other on other.identifier_id = link.other_id
order by link.occurred_at_us, link.message_id collate "C", link.owner_id, link.other_id
limit %(limit)s
