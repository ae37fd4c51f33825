-- Whoever is in and was not found leaves, at the moment the rule was found not to hold any more.
update segment_membership set left_at = greatest(%(now)s, entered_at)
where segment = %(segment)s
    and left_at is null
    and not exists (select from member where member.profile_id = segment_membership.profile_id)
returning profile_id
