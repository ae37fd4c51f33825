-- Days whose rewards the model has not seen, up to the first decided day that has none yet: days are learned in their order, so
-- that one whose window is over later than that of a newer day is not passed over.
select distinct day
from rewards
where use_case = $use_case and day > cast($after as date)
    and day < (
        select coalesce(min(decided.day), cast($before as date))
        from decisions as decided
        where decided.use_case = $use_case and decided.variant <> 'shadow'
            and decided.day > cast($after as date) and decided.day >= cast($since as date) and decided.day < cast($before as date)
            and not exists (select 1 from rewards as had where had.use_case = $use_case and had.day = decided.day)
    )
order by day
