-- From now on, what the present rules read counts, and nothing else. Returns whose consent is another one now.
with gone as (
    delete from consent
    where not exists (
        select from consent_again as again
        where again.identifier_id = consent.identifier_id and again.purpose = consent.purpose
            and again.channel = consent.channel
    )
    returning identifier_id
),
changed as (
    insert into consent as known (
        identifier_id, purpose, channel, state, said_at_us, message_id, source_id, evidence
    )
    select again.identifier_id, again.purpose, again.channel, again.state, again.said_at_us, again.message_id,
        again.source_id, again.evidence
    from consent_again as again
    where not exists (
        select from consent as same
        where same.identifier_id = again.identifier_id and same.purpose = again.purpose
            and same.channel = again.channel and same.state = again.state and same.said_at_us = again.said_at_us
            and same.message_id = again.message_id and same.evidence = again.evidence
    )
    order by again.identifier_id, again.purpose, again.channel
    on conflict (identifier_id, purpose, channel) do update set
        state = excluded.state,
        said_at_us = excluded.said_at_us,
        message_id = excluded.message_id,
        source_id = excluded.source_id,
        evidence = excluded.evidence
    returning identifier_id
)
select identifier_id from gone
union
select identifier_id from changed
