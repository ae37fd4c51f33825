-- The links of these profiles: those that hold from before a profile's time, and all, held or not, since. Without
-- `owner_id <> other_id`, which always is, their indexes are not used.
select link.owner_id, link.other_id, link.occurred_at_us, link.message_id, link.source_id, link.rule,
    link.settled, reached.profile_id, there.profile_id as other_profile_id
from unnest(%(profiles)s::bigint[], %(since_us)s::bigint[]) as reached (profile_id, since_us)
join identifier as here on here.profile_id = reached.profile_id
cross join lateral (
    select each.*, each.other_id as far_id, each.occurred_at_us < reached.since_us as settled
    from identifier_link as each
    where each.owner_id = here.identifier_id and each.owner_id <> each.other_id and each.holds
    union all
    select each.*, each.other_id, false
    from identifier_link as each
    where each.owner_id = here.identifier_id and each.owner_id <> each.other_id and not each.holds
        and each.occurred_at_us >= reached.since_us
    union all
    select each.*, each.owner_id, false
    from identifier_link as each
    where each.other_id = here.identifier_id and each.owner_id <> each.other_id and not each.holds
        and each.occurred_at_us >= reached.since_us
) as link
join identifier as there on there.identifier_id = link.far_id
order by link.owner_id, link.other_id
