-- What the lake has had for so long is not asked for again.
delete from asked_decision
where kept_at < %(before)s
