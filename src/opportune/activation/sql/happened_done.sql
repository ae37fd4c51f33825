-- The next batch of this transaction stages its own.
drop table happened
