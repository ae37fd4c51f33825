-- Profiles with more than one identifier, or with a link that was set aside, a page at a time.
select distinct identifier.profile_id
from identifier
where identifier.profile_id > %(after)s
    and (
        identifier.identifier_id <> identifier.profile_id
        or exists (
            select from identifier_link as link
            where link.owner_id = identifier.identifier_id and link.owner_id <> link.other_id
        )
        or exists (
            select from identifier_link as link
            where link.other_id = identifier.identifier_id and link.owner_id <> link.other_id
        )
    )
order by identifier.profile_id
limit %(limit)s
