-- What is said of them anywhere; messages that were sent stay as a count, and destinations are still to remove them
-- from audiences.
select table_name, rows::int
from privacy_delete(%(ids)s, '{outbox,audience_published,audience_touched}')
where rows > 0
order by table_name
