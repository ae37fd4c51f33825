-- Samples of the catalogue that are, or hold, a value of who is forgotten.
with cleared as (
    update catalogue_field set sample = null
    where sample = any (%(exact)s) or sample ~ %(pattern)s or sample ~* %(folded)s
    returning 1
)
select 'catalogue_field' as table_name, count(*)::int as rows
from cleared
