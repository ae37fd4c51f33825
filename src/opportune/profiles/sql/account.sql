-- An account with its traits and newest members; a profile that joined with several identifiers is one member.
select newest_traits(array[account.told]) as traits,
    to_timestamp(account.first_seen_at_us / 1e6) as first_seen_at,
    to_timestamp(account.last_seen_at_us / 1e6) as last_seen_at,
    (
        select count(distinct identifier.profile_id)::int
        from account_member as member
        join identifier using (identifier_id)
        where member.account_id = account.account_id
    ) as member_count,
    (
        select coalesce(jsonb_agg(
            jsonb_build_object(
                'profile_id', newest.profile_id::text, 'kind', newest.kind, 'value', newest.value,
                'joined_at', to_timestamp(newest.joined_at_us / 1e6)
            )
            order by newest.joined_at_us desc, newest.profile_id
        ), '[]')
        from (
            select joined.profile_id, joined.kind, joined.value, joined.joined_at_us
            from (
                select distinct on (identifier.profile_id)
                    identifier.profile_id, identifier.kind, identifier.value, member.joined_at_us
                from account_member as member
                join identifier using (identifier_id)
                where member.account_id = account.account_id
                order by identifier.profile_id, member.joined_at_us, identifier.kind desc, identifier.value
            ) as joined
            order by joined.joined_at_us desc, joined.profile_id
            limit %(limit)s
        ) as newest
    ) as members
from account
where account.account_id = %(account_id)s
