-- A profile for every group of new identifiers; its id is a hash of the first, so that a rebuild finds the same.
insert into profile (profile_id, traits, first_seen_at, last_seen_at)
select whole.profile_id,
    case cardinality(whole.tellings)
        when 0 then '{}'
        when 1 then (
            select coalesce(jsonb_object_agg(trait.key, trait.value) filter (where trait.value <> 'null'), '{}')
            from jsonb_each(whole.tellings[1]) as said
            cross join lateral jsonb_each(said.value) as trait
        )
        else newest_traits(whole.tellings)
    end,
    to_timestamp(whole.first_seen_at_us / 1e6),
    to_timestamp(whole.last_seen_at_us / 1e6)
from (
    select profile_id, coalesce(array_agg(told) filter (where told is not null), '{}') as tellings,
        coalesce(min(first_seen_at_us), min(sighted_at_us)) as first_seen_at_us,
        coalesce(max(last_seen_at_us), min(sighted_at_us)) as last_seen_at_us
    from arrival
    group by profile_id
) as whole
order by whole.profile_id
on conflict (profile_id) do nothing
