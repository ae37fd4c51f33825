-- One change of identities at a time: what two batches say of the same person must not be folded apart.
select pg_advisory_xact_lock(hashtextextended('identity', 0))
