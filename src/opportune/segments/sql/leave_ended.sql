-- Whoever was in a segment that is no more.
update segment_membership set left_at = greatest(%(now)s, entered_at)
where left_at is null and segment = any (%(segments)s::text[])
