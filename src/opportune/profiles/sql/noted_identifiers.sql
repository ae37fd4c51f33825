-- Which profile an identifier in an event means, and since when, of the profiles that were noted.
select identifier.kind, identifier.value, identifier.profile_id,
    case
        when profile.past_apart and identifier.kind <> 'user_id'
            then (extract(epoch from identifier.linked_at) * 1000000)::bigint
        else -9223372036854775808
    end as since_us
from (select distinct profile_id from computed_note where note_id <= %(upto)s) as noted
join profile on profile.profile_id = noted.profile_id
join identifier on identifier.profile_id = profile.profile_id
where identifier.kind in ('user_id', 'anonymous_id')
order by identifier.identifier_id
