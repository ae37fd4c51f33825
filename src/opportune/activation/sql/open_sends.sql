-- Sends whose answer never came, and those that failed: the newest first, each with what is known of it.
select sequence, key, use_case, day, profile_id, user_id, properties::text as properties, state, coalesce(reason, '') as reason,
    attempts, attempted_at, due_at, choice, chosen_by, evidence
from outbox
where message is null and use_case = any (%(use_cases)s) and state = any (%(states)s) and sequence < %(before)s
    and (not %(undecided)s or (choice is null and evidence is null))
order by sequence desc
limit %(limit)s
