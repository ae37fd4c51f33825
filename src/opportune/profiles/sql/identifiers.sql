-- Which profile an identifier in an event means, and since when; in no order, which would cost most of the time.
select identifier.kind, identifier.value, identifier.profile_id,
    case
        when profile.past_apart and identifier.kind <> 'user_id'
            then (extract(epoch from identifier.linked_at) * 1000000)::bigint
        else -9223372036854775808
    end as since_us
from identifier
join profile on profile.profile_id = identifier.profile_id
where identifier.kind in ('user_id', 'anonymous_id')
