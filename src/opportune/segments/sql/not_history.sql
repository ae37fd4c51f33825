-- Who is named by events that are no imported history.
select distinct case when user_id is null then 'anonymous_id' else 'user_id' end as kind,
    coalesce(user_id, anonymous_id) as value
from new_events
where not false/*history*/ and coalesce(user_id, anonymous_id) is not null
