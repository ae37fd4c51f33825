-- The same transaction may follow another batch.
drop table lively
