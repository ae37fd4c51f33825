-- One refresh of computed traits at a time.
select pg_advisory_xact_lock(hashtextextended('computed', 0))
