-- What engagement tells of sends that are open: a row is meant by its decision, by the id of its call, or by its
-- campaign and a time after its first call, where no other row has that call. Such a row is not asked about any more.
with open_row as (
    select key, use_case, user_id, dispatch_id, greatest(first_attempted_at, held_until) as first_attempted_at
    from outbox
    where message is null and evidence is null
        and (state in ('reserved', 'scheduled', 'unknown') or (state = 'pending' and attempted_at is not null))
        and user_id in (select user_id from engagement)
),
meant as (
    select distinct on (engagement.place) open_row.key, engagement.happening, engagement.dispatch_id
    from engagement
    join open_row on open_row.user_id = engagement.user_id
    where open_row.key = engagement.decision_id
        or (
            engagement.decision_id is null and (
                open_row.dispatch_id = engagement.dispatch_id
                or (
                    engagement.happening in ('Send', 'Abort')
                    and engagement.occurred_at >= open_row.first_attempted_at - make_interval(secs => %(skew_s)s)
                    and not exists (
                        select from outbox as other
                        where other.user_id = engagement.user_id and other.dispatch_id = engagement.dispatch_id
                    )
                    and exists (
                        select from definition
                        where definition.kind = 'use_case' and definition.name = open_row.use_case
                            and (
                                lower(engagement.campaign) in (
                                    lower(definition.body #>> '{activation,campaign_id}'),
                                    lower(definition.body #>> '{activation,canvas_id}')
                                )
                                -- Messages of ours without a campaign come back without one.
                                or (
                                    engagement.campaign is null
                                    and definition.body #> '{activation,messages}' is not null
                                    and definition.body #> '{activation,campaign_id}' is null
                                )
                            )
                    )
                )
            )
        )
    order by engagement.place, (open_row.key = engagement.decision_id) desc nulls last,
        (open_row.dispatch_id = engagement.dispatch_id) desc nulls last, open_row.first_attempted_at desc, open_row.key
),
told as (
    select key, bool_or(happening <> 'Abort') as seen, min(dispatch_id) as dispatch_id
    from meant
    group by key
),
witnessed as (
    update outbox set
        evidence = case when told.seen then 'seen' else 'aborted' end,
        dispatch_id = coalesce(outbox.dispatch_id, told.dispatch_id),
        -- In a sender's or receiver's hands it stays: its answer comes, its lease ends, or it is put down as sent.
        state = case when outbox.state in ('reserved', 'scheduled') then outbox.state else 'unknown' end,
        leased_until = case when outbox.state in ('reserved', 'scheduled') then outbox.leased_until else '-infinity' end
    from told
    where outbox.key = told.key and outbox.state in ('pending', 'reserved', 'scheduled', 'unknown')
    returning outbox.key
)
select count(*)::int as count
from witnessed
