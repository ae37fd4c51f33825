-- Every move of an identifier from one profile to another; what is new has not moved.
insert into profile_change (
    changed_at, identifier_id, from_profile_id, to_profile_id, reason, message_id, source_id, changed_by
)
select %(now)s, moved.identifier_id, identifier.profile_id, moved.profile_id, %(reason)s,
    coalesce(moved.message_id, ''), coalesce(moved.source_id, ''), %(by)s
from moved
join identifier on identifier.identifier_id = moved.identifier_id
where identifier.profile_id <> moved.profile_id and not moved.arrived
order by moved.identifier_id
