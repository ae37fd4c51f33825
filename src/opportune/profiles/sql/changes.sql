-- Where these identifiers have been.
select change.changed_at, identifier.kind, identifier.value, change.from_profile_id, change.to_profile_id,
    change.reason, change.message_id, change.source_id, change.changed_by
from profile_change as change
join identifier on identifier.identifier_id = change.identifier_id
where change.identifier_id = any (%(identifiers)s::bigint[])
order by change.change_id desc
limit %(limit)s
