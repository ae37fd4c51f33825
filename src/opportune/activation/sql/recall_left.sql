-- Of what its receiver holds, what is of somebody who is not in the audience any more is taken back; the nearest in time
-- are looked at. Whose profile it is follows from the user id, as profiles may have become one since.
with first_due as (
    select key, user_id
    from outbox
    where use_case = %(use_case)s and state = 'scheduled' and coalesce(recall, '') = '' and held_until > %(now)s
    order by held_until
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
)
update outbox set recall = %(reason)s
from gone
where outbox.key = gone.key and outbox.state = 'scheduled'
returning outbox.key
