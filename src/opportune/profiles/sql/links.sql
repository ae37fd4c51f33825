-- All evidence about these identifiers, what was set aside included.
select owner.kind as owner_kind, owner.value as owner_value, other.kind as other_kind, other.value as other_value,
    link.occurred_at_us, link.message_id, link.source_id, link.rule, link.set_aside
from identifier_link as link
join identifier as owner on owner.identifier_id = link.owner_id
join identifier as other on other.identifier_id = link.other_id
where link.owner_id = any (%(identifiers)s::bigint[]) or link.other_id = any (%(identifiers)s::bigint[])
order by link.occurred_at_us, link.message_id collate "C", link.owner_id, link.other_id
limit %(limit)s
