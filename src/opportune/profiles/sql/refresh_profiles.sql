-- What a profile is: the newest of what was told of its identifiers, and the time from the first event to the last.
-- Where consent is asked for, what an identifier did before it was linked to a user id counts only once it is given.
with member as (
    select identifier.profile_id, identifier.told, identifier.sighted_at_us,
        identifier.first_seen_at_us, identifier.last_seen_at_us,
        case
            when %(consent)s::text is not null and identifier.kind <> 'user_id'
                and bool_or(identifier.kind = 'user_id') over (partition by identifier.profile_id)
                then (extract(epoch from identifier.linked_at) * 1000000)::bigint
        end as since_us
    from identifier
    where identifier.profile_id = any (%(profiles)s::bigint[])
),
allowed as (
    select member.profile_id, member.told, member.sighted_at_us, member.first_seen_at_us, member.last_seen_at_us,
        member.since_us,
        case when member.since_us is null then member.told else (
            select jsonb_object_agg(said.key, said.value)
            from jsonb_each(member.told) as said
            where said.key::numeric >= member.since_us
        ) end as told_since,
        case when member.since_us is null or member.last_seen_at_us >= member.since_us
            then greatest(member.first_seen_at_us, member.since_us)
        end as first_since_us,
        case when member.since_us is null or member.last_seen_at_us >= member.since_us
            then member.last_seen_at_us
        end as last_since_us
    from member
),
whole as (
    select profile_id,
        bool_or(since_us is not null) as asks_consent,
        coalesce(array_agg(told) filter (where told is not null), '{}') as tellings,
        coalesce(array_agg(told_since) filter (where told_since is not null), '{}') as tellings_since,
        coalesce(min(first_seen_at_us), min(sighted_at_us)) as first_us,
        coalesce(max(last_seen_at_us), min(sighted_at_us)) as last_us,
        coalesce(min(first_since_us), min(sighted_at_us)) as first_since_us,
        coalesce(max(last_since_us), min(sighted_at_us)) as last_since_us
    from allowed
    group by profile_id
),
judged as (
    select whole.*,
        -- Said by the profile since its login, and not taken back on an identifier before it was linked.
        asks_consent and not coalesce(
            newest_traits(tellings_since) -> %(consent)s::text = 'true'
            and newest_traits(tellings) -> %(consent)s::text = 'true',
            false
        ) as past_apart
    from whole
),
chosen as (
    select profile_id, past_apart,
        case when past_apart then tellings_since else tellings end as tellings,
        case when past_apart then first_since_us else first_us end as first_us,
        case when past_apart then last_since_us else last_us end as last_us
    from judged
)
update profile set
    traits = case cardinality(chosen.tellings)
        when 0 then '{}'
        when 1 then (
            select coalesce(jsonb_object_agg(trait.key, trait.value) filter (where trait.value <> 'null'), '{}')
            from jsonb_each(chosen.tellings[1]) as said
            cross join lateral jsonb_each(said.value) as trait
        )
        else newest_traits(chosen.tellings)
    end,
    first_seen_at = to_timestamp(chosen.first_us / 1e6),
    last_seen_at = to_timestamp(chosen.last_us / 1e6),
    past_apart = chosen.past_apart
from chosen
where profile.profile_id = chosen.profile_id
