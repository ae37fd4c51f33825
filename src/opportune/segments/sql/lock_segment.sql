-- One refresh of a segment at a time: two at once would both begin the same membership.
select pg_advisory_xact_lock(hashtextextended('segment:' || %(segment)s, 0))
