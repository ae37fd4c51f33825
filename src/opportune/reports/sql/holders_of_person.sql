-- By which ids a profile's events are found, and since when they are its own.
select kind, value,
    case
        when profile.past_apart and kind <> 'user_id' then (extract(epoch from linked_at) * 1000000)::bigint
        else -9223372036854775808
    end as since_us,
    identifier_id
from profile
join identifier using (profile_id)
where profile.profile_id = %(profile_id)s
order by kind, value
