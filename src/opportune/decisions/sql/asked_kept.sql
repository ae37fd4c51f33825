-- The lake has that commit.
update asked_decision set kept_at = %(now)s
where batch = %(batch)s and kept_at is null
