-- What a person says of a link that was set aside. No row: it does not wait any more.
with decided as (
    update identifier_link set decision = %(decision)s, decided_by = %(by)s, decided_at = %(now)s
    where owner_id = %(owner_id)s and other_id = %(other_id)s and decision is null
        and set_aside in ('two_known', 'limit', 'size', 'apart')
    returning owner_id, other_id, set_aside
)
select decided.set_aside as reason,
    owner.profile_id as owner_profile_id, other.profile_id as other_profile_id, other.kind, other.value
from decided
join identifier as owner on owner.identifier_id = decided.owner_id
join identifier as other on other.identifier_id = decided.other_id
