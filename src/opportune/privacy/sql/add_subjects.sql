-- Everything that is one person with the identifiers of open requests; who is to be erased in one request is erased,
-- whatever another one says. What an earlier try found is kept, though State may have lost it since.
with asked as (
    select request_id, mode, kind, value, identity_hash(kind, value) as identifier_id
    from privacy_request
    where state = 'running' and value is not null
),
person as (
    select asked.*, coalesce(known.profile_id, asked.identifier_id) as profile_id
    from asked
    left join identifier as known on known.identifier_id = asked.identifier_id
),
named as (
    select person.request_id, person.mode, person.profile_id, every.kind, every.value, every.identifier_id
    from person
    join identifier as every on every.profile_id = person.profile_id
    union all
    select request_id, mode, profile_id, kind, value, identifier_id
    from person
),
whole as (
    select distinct on (identifier_id) request_id, profile_id, kind, value, identifier_id
    from named
    order by identifier_id, mode desc, request_id
),
one as (
    select whole.*,
        'forgotten-' || left(encode(sha256(convert_to(%(secret)s || ':' || profile_id, 'UTF8')), 'hex'), 32) as new_value,
        encode(sha256(convert_to(%(secret)s || '#' || identifier_id, 'UTF8')), 'hex') as own
    from whole
)
insert into privacy_subject (
    request_id, identifier_id, kind, value, new_id, new_value, profile_id, new_profile_id
)
select request_id, identifier_id, kind, value,
    case when identifier_id = profile_id then identity_hash('anonymous_id', new_value)
        else ('x' || left(own, 16))::bit(64)::bigint
    end,
    new_value, profile_id, identity_hash('anonymous_id', new_value)
from one
order by identifier_id
on conflict (identifier_id) do nothing
