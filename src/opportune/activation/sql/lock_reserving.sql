-- One reservation at a time for a use case: two at once could each take a row of the same profile.
select pg_advisory_xact_lock(hashtextextended('reserve:' || %(use_case)s, 0))
