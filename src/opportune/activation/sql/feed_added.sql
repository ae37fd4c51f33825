-- About how many rows a batch has brought, for the statistics of the table.
select count(*)::int as count
from located
