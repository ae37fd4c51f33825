-- What is said of them anywhere; messages that were sent stay as a count.
select table_name, rows::int
from privacy_delete(%(ids)s, '{outbox}')
where rows > 0
order by table_name
