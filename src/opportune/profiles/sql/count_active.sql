-- How many people did anything since a moment, visitors included.
select count(*) as people from profile where last_seen_at >= %(since)s
