-- A profile for every anonymous identifier that nobody has logged in with.
insert into profile (profile_id, first_seen_at, last_seen_at)
select
    identity_hash('anonymous_id', incoming.anonymous_id),
    to_timestamp(min(incoming.occurred_at_us) / 1e6),
    to_timestamp(max(incoming.occurred_at_us) / 1e6)
from incoming
left join identifier as link on link.kind = 'anonymous_id' and link.value = incoming.anonymous_id
where incoming.anonymous_id is not null
    and coalesce(link.profile_id, identity_hash('anonymous_id', incoming.anonymous_id))
        = identity_hash('anonymous_id', incoming.anonymous_id)
group by incoming.anonymous_id
order by 1
on conflict (profile_id) do update set
    first_seen_at = least(profile.first_seen_at, excluded.first_seen_at),
    last_seen_at = greatest(profile.last_seen_at, excluded.last_seen_at)
