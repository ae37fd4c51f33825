-- Everything that State says of these profiles and identifiers, table by table.
select table_name, body
from privacy_rows(%(ids)s)
order by table_name, body::text
