-- The same transaction may keep another batch.
drop table noted
