-- What is left of who is forgotten, in any table.
select table_name, rows::int
from privacy_delete((select array_agg(old_id) from forgotten), '{}')
where rows > 0
order by table_name
