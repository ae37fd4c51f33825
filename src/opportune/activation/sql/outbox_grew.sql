-- Whether the table has grown so much that the planner's picture of it is a wrong one; it is -1 before the first.
select %(added)s * 3 >= reltuples as grew
from pg_class
where oid = 'outbox'::regclass
