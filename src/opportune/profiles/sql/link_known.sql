-- The user id itself is the first identifier of its profile.
insert into identifier (kind, value, profile_id, linked_at)
select 'user_id', user_id, identity_hash('user_id', user_id), to_timestamp(min(occurred_at_us) / 1e6)
from incoming
where user_id is not null
group by user_id
order by user_id
on conflict (kind, value) do nothing
