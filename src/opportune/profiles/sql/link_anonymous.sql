-- Anonymous identifiers that nobody has logged in with are profiles of their own.
insert into identifier (kind, value, profile_id, linked_at)
select 'anonymous_id', anonymous_id, identity_hash('anonymous_id', anonymous_id), to_timestamp(min(occurred_at_us) / 1e6)
from incoming
where anonymous_id is not null
group by anonymous_id
order by anonymous_id
on conflict (kind, value) do nothing
