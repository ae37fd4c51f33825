-- One who reads all stored events again at a time.
select pg_advisory_xact_lock(hashtextextended('events_read', 0))
