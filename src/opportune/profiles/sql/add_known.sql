-- A profile for every user id of the batch; its id is a hash of that identifier, so that a rebuild finds the same.
insert into profile (profile_id, first_seen_at, last_seen_at)
select
    identity_hash('user_id', user_id),
    to_timestamp(min(occurred_at_us) / 1e6),
    to_timestamp(max(occurred_at_us) / 1e6)
from incoming
where user_id is not null
group by user_id
order by 1
on conflict (profile_id) do update set
    first_seen_at = least(profile.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(profile.last_seen_at, excluded.last_seen_at)
