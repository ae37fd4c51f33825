-- The very policy that a decision names.
select version, day, trained_through, body, warm_start, provisional, waiting
from model
where use_case = %(use_case)s and version = %(version)s and day = %(day)s
