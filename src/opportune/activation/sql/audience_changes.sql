-- Who came into and went out of an audience, by the identifier that its destination was or will be told: the user id, or
-- of a visitor the newest anonymous id. Somebody who is another profile now is noted, and is no change.
create temporary table audience_change on commit drop as
with held as (
    select touched.profile_id, array_agg(member.segment) as segments
    from touched
    join segment_membership as member on member.profile_id = touched.profile_id and member.left_at is null
    group by touched.profile_id
),
inside as (
    select publication.publication_id, publication.purpose, publication.channel, publication.assumed, held.profile_id
    from held
    join audience_publication as publication
        on publication.segments && held.segments and not publication.minus && held.segments
    where publication.filled is not null
),
newest as (
    select distinct on (inside.publication_id, inside.profile_id) inside.publication_id, inside.profile_id, consent.state
    from inside
    join identifier on identifier.profile_id = inside.profile_id
    join consent on consent.identifier_id = identifier.identifier_id
        and consent.purpose in (inside.purpose, '*') and consent.channel in (inside.channel, '*')
    where inside.purpose is not null
    order by inside.publication_id, inside.profile_id, consent.said_at_us desc, consent.state desc
),
wanted as (
    select distinct on (inside.publication_id, inside.profile_id)
        inside.publication_id, inside.profile_id, identifier.identifier_id, identifier.kind, identifier.value
    from inside
    left join newest on newest.publication_id = inside.publication_id and newest.profile_id = inside.profile_id
    join identifier on identifier.profile_id = inside.profile_id and identifier.kind in ('user_id', 'anonymous_id')
    where (
            inside.purpose is null or newest.state = 'granted'
            or (coalesce(newest.state, 'unknown') = 'unknown' and inside.assumed)
        )
        -- Who is just being forgotten is nowhere any more, and who was made anonymous is nobody.
        and not exists (
            select from privacy_subject as subject where subject.identifier_id = identifier.identifier_id
        )
        and not (identifier.kind = 'anonymous_id' and starts_with(identifier.value, 'forgotten-'))
    order by inside.publication_id, inside.profile_id, identifier.kind desc,
        case when identifier.kind = 'anonymous_id' then identifier.linked_at end desc, identifier.value
),
known as (
    select told.publication_id, told.identifier_id, told.profile_id, told.kind, told.value
    from touched
    join audience_published as told on told.profile_id = touched.profile_id
    union
    select told.publication_id, told.identifier_id, told.profile_id, told.kind, told.value
    from wanted
    join audience_published as told
        on told.publication_id = wanted.publication_id and told.identifier_id = wanted.identifier_id
)
select publication_id, identifier_id, publication.audience, publication.destination,
    coalesce(wanted.profile_id, known.profile_id) as profile_id,
    coalesce(wanted.kind, known.kind) as kind, coalesce(wanted.value, known.value) as value,
    wanted.profile_id is not null as is_in, known.profile_id is not null as was_in
from wanted
full join known using (publication_id, identifier_id)
join audience_publication as publication using (publication_id)
where publication.filled is not null and (
    wanted.profile_id is null
    or known.profile_id is null and publication.refused is null
    or wanted.profile_id <> known.profile_id
)
