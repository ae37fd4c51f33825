-- A login: the anonymous identifier goes to the user id that named it first in the log, unless another user has it already.
insert into identifier (kind, value, profile_id, linked_at)
select distinct on (anonymous_id)
    'anonymous_id',
    anonymous_id,
    identity_hash('user_id', user_id),
    to_timestamp(occurred_at_us / 1e6)
from incoming
where anonymous_id is not null and user_id is not null
order by anonymous_id, place
on conflict (kind, value) do update set
    profile_id = excluded.profile_id,
    linked_at = excluded.linked_at
where identifier.profile_id = identity_hash('anonymous_id', identifier.value)
