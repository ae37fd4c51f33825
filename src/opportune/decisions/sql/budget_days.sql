-- The newest days that a use case decided under its budget.
select day, available, committed, shadow_price, decided, restricted, held_back
from budget_day
where use_case = %(use_case)s
order by day desc
limit %(most)s
