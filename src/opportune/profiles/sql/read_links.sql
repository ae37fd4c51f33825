-- Pairs of identifiers that were seen together for the first time, or earlier than it was known.
create temporary table candidate on commit drop as
with pair as (
    select distinct on (mention.owner_id, mention.identifier_id)
        mention.owner_id, mention.identifier_id as other_id, mention.occurred_at_us,
        incoming.message_id, incoming.source_id, mention.rule
    from mention
    join incoming on incoming.place = mention.place
    where mention.identifier_id <> mention.owner_id
    order by mention.owner_id, mention.identifier_id, mention.occurred_at_us, incoming.message_id collate "C",
        mention.rule desc
)
select pair.owner_id, pair.other_id, pair.occurred_at_us, pair.message_id, pair.source_id, pair.rule
from pair
left join lateral (
    select link.occurred_at_us, link.message_id
    from identifier_link as link
    where link.owner_id = pair.owner_id and link.other_id = pair.other_id
    offset 0
) as known on true
where known.occurred_at_us is null
    or pair.occurred_at_us < known.occurred_at_us
    or (pair.occurred_at_us = known.occurred_at_us and pair.message_id < known.message_id collate "C")
