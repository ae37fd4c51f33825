-- The same transaction may fill another segment.
drop table member
