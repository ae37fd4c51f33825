-- One judgement of live segments at a time: each sees all that the one before did.
select pg_advisory_xact_lock(hashtextextended('live segments', 0))
