-- New identifiers with what is their own.
insert into identifier (
    kind, value, profile_id, linked_at, sighted_at_us, first_seen_at_us, last_seen_at_us, told
)
select kind, value, profile_id, to_timestamp(linked_at_us / 1e6), sighted_at_us, first_seen_at_us, last_seen_at_us, told
from arrival
order by identifier_id
on conflict do nothing
