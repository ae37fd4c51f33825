-- Links that were set aside and wait for a person, the newest first.
select lpad(to_hex(link.owner_id), 16, '0') || lpad(to_hex(link.other_id), 16, '0') as review_id,
    link.set_aside as reason, link.occurred_at_us, link.message_id, link.source_id, link.rule,
    owner.kind as owner_kind, owner.value as owner_value, owner.profile_id as owner_profile_id,
    other.kind as other_kind, other.value as other_value, other.profile_id as other_profile_id
from identifier_link as link
join identifier as owner on owner.identifier_id = link.owner_id
join identifier as other on other.identifier_id = link.other_id
where link.set_aside in ('two_known', 'limit', 'size', 'apart') and link.decision is null
order by link.occurred_at_us desc, link.owner_id, link.other_id
limit %(limit)s
