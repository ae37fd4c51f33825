-- What was staged is used up: the next batch may come in the same transaction.
drop table outgoing, located
