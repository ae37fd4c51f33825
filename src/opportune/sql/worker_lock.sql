-- Which session holds the worker's lock: a worker whose session ended unnoticed finds another one here, or none.
select activity.pid, activity.backend_start
from pg_locks
join pg_stat_activity as activity on activity.pid = pg_locks.pid
where pg_locks.locktype = 'advisory' and pg_locks.granted
    and pg_locks.database = (select oid from pg_database where datname = current_database())
    and pg_locks.classid::bigint << 32 | pg_locks.objid::bigint = hashtextextended(%(name)s, 0)
order by activity.pid
