-- Who entered and left and is still to be told to the log, by the user id or else by the newest anonymous id.
select change.change_id, change.segment, change.profile_id, change.entered, change.changed_at, change.by_history,
    (
        select min(identifier.value) from identifier
        where identifier.profile_id = change.profile_id and identifier.kind = 'user_id'
    ) as user_id,
    (
        select identifier.value from identifier
        where identifier.profile_id = change.profile_id and identifier.kind = 'anonymous_id'
            and not exists (
                select from identifier as known
                where known.profile_id = change.profile_id and known.kind = 'user_id'
            )
        order by identifier.linked_at desc, identifier.value
        limit 1
    ) as anonymous_id
from segment_change as change
order by change.change_id
limit %(limit)s
