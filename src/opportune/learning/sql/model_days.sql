-- Of each version of each use case, the day of the model that decides a day.
select use_case, version, max(day) as day
from model
where day <= %(day)s
group by use_case, version
