-- One publishing at a time: two at once could tell the same change.
select pg_advisory_xact_lock(hashtextextended('publish audiences', 0))
