-- Of what is due first, what is of somebody who is not in the audience any more: looked at just before it is reserved.
-- Whose profile it is follows from the user id, as profiles may have become one since.
with first_due as (
    select key, user_id
    from outbox
    where use_case = %(use_case)s and state = 'pending' and due_at <= %(now)s
    order by due_at
    limit %(limit)s
),
gone as (
    select first_due.key
    from first_due
    left join identifier as own on own.kind = 'user_id' and own.value = first_due.user_id
    where not exists (
            select from segment_membership as inside
            where inside.segment = any (%(segments)s) and inside.profile_id = own.profile_id and inside.left_at is null
        )
        or exists (
            select from segment_membership as outside
            where outside.segment = any (%(minus)s) and outside.profile_id = own.profile_id and outside.left_at is null
        )
),
ended as (
    update outbox set state = 'failed', reason = %(reason)s
    from gone
    where outbox.key = gone.key and outbox.state = 'pending'
    returning outbox.key
)
select count(*)::int as count
from ended
