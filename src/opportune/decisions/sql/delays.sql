-- How many decisions of each mature day had their first reward in which hour of their window.
select day,
    cast(floor((first_at_us - began_at_us) / 3600000000) as bigint) as hour,
    count(*) as rewarded
from rewards
where use_case = $use_case and metric = $metric
    and day >= cast($since as date) and day < cast($before as date)
    and first_at_us >= began_at_us and first_at_us < began_at_us + $window_us
group by 1, 2
order by 1, 2
