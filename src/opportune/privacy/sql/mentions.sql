-- Which columns of State still name who is forgotten; every column that could is looked at.
select table_name, column_name, rows, hits
from privacy_mentions(%(exact)s, %(pattern)s, %(folded)s, %(ids)s)
order by table_name, column_name
