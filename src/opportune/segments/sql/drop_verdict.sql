-- The same transaction may judge again.
drop table verdict
