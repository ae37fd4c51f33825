-- Reserve what its receiver is to hold until its time, before anybody is called. What is due too soon for that waits here.
-- Only as many as the calls take that may be made: one each for what may have to come back alone, else one for as many of
-- one time as go together.
with ahead as (
    select key, due_at, %(alone)s or ends_on is not null or purpose is not null as alone
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at > %(soonest)s and leased_until <= clock_timestamp()
        and coalesce(
            (
                select use_case_state.state from use_case_state
                where use_case_state.use_case = %(use_case)s
                order by change_id desc
                limit 1
            ),
            'live'
        ) = 'live'
    order by due_at, key
    limit %(limit)s
    for update skip locked
),
placed as (
    select key, due_at, alone,
        (alone or (row_number() over (partition by due_at, alone order by key) - 1) %% %(together)s = 0)::int as starts
    from ahead
),
counted as (
    select key, alone, sum(starts) over (order by due_at, alone, key) as calls_so_far
    from placed
),
claimed as (
    update outbox set
        state = 'reserved',
        attempts = attempts + 1,
        attempted_at = %(now)s,
        first_attempted_at = coalesce(outbox.first_attempted_at, %(now)s),
        held_until = due_at,
        leased_until = clock_timestamp() + make_interval(secs => %(lease_s)s)
    from counted
    where outbox.key = counted.key and counted.calls_so_far <= %(calls)s
    returning outbox.key, user_id, properties, attempts, attempted_at, leased_until, outbox.due_at, reopened, held_until,
        counted.alone
)
select coalesce(json_agg(claimed), '[]')::text as claims
from claimed
