-- By which identifiers destinations were told of somebody: whoever is forgotten is forgotten there, too.
insert into destination_told (destination, identifier_id)
select located.destination, located.identifier_id
from located
where located.kind <> 'profile' or exists (
    select from destination_profile as told
    where told.destination = located.destination and told.profile_id = located.profile_id
)
union
select located.destination, identity_hash(previous.kind, try_jsonb_object(located.properties) ->> 'previousId')
from located
cross join (values ('user_id'), ('anonymous_id')) as previous (kind)
where located.kind = 'alias' and try_jsonb_object(located.properties) ->> 'previousId' is not null
order by 1, 2
on conflict do nothing
