-- Known identifiers that were seen again, and what was told of them: the newest value by event time wins whatever the
-- order of arrival. Returns the profiles to be made anew.
with changed as (
    update identifier set
        sighted_at_us = least(identifier.sighted_at_us, named.sighted_at_us),
        linked_at = case
            when identifier.identifier_id = identifier.profile_id
                then least(identifier.linked_at, to_timestamp(named.sighted_at_us / 1e6))
            else identifier.linked_at
        end,
        first_seen_at_us = least(identifier.first_seen_at_us, named.first_seen_at_us),
        last_seen_at_us = greatest(identifier.last_seen_at_us, named.last_seen_at_us),
        told = case
            when named.told is null then identifier.told
            when identifier.told is null then named.told
            -- One message that says again, and later, all that was said before.
            when (
                select bool_and(
                    before.key::numeric <= named.said_at
                    and before.value - array(select jsonb_object_keys(named.told -> named.said_at::text)) = '{}'
                )
                from jsonb_each(identifier.told) as before
            ) then named.told
            else merged_told(identifier.told, named.told)
        end
    from named
    where identifier.identifier_id = named.identifier_id
        and (
            named.told is not null or named.sighted_earlier or identifier.sighted_at_us is null
            or named.first_seen_at_us < identifier.first_seen_at_us
            or named.last_seen_at_us > identifier.last_seen_at_us
            or (named.unseen and named.last_seen_at_us is not null)
        )
        and named.profile_id is not null
    returning identifier.profile_id, named.told is not null or named.unseen as retold
)
select distinct profile_id
from changed
where retold or %(always)s
order by profile_id
