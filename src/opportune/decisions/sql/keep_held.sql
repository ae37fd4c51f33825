-- Each answer once under its key, and once as the next of its person; what it costs is taken from what is held, and the rest
-- is let go.
with free as (
    select use_case
    from on_request
    where use_case = %(use_case)s and epoch = %(epoch)s and deciding is null
    for update
),
given as (
    select *
    from json_to_recordset(%(rows)s::json) as each (
        profile_id bigint, request text, decided_at timestamptz, answer text, record text,
        user_id text, contact int, had jsonb, cost bigint
    )
),
written as (
    insert into asked_decision (use_case, profile_id, request, decided_at, answer, record, user_id, contact, had, cost)
    select free.use_case, given.profile_id, given.request, given.decided_at, given.answer, given.record,
        given.user_id, given.contact, given.had, given.cost
    from given
    cross join free
    order by given.user_id, given.request
    on conflict do nothing
    returning profile_id, request, cost
),
paid as (
    update on_request
    set held = on_request.held - %(granted)s::bigint,
        kept = on_request.kept + (select coalesce(sum(written.cost), 0) from written)::bigint
    from free
    where on_request.use_case = free.use_case and %(granted)s::bigint > 0
)
select profile_id, request from written
