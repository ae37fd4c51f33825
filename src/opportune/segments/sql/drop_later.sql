-- The same transaction may defer again.
drop table later
