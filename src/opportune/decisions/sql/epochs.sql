-- How often each use case was decided; null while a day is being decided.
select use_case, case when deciding is null then epoch end as epoch
from on_request
order by use_case
