-- The policies of a use case that are kept, and what the newest day is that each has learned from.
select version, day, trained_through
from model
where use_case = %(use_case)s and version > 0
order by day, version
