-- For how many of the audience nothing is decided on a day, by the reason.
select reason, count(*) as profiles
from features
where use_case = $use_case and day = cast($day as date) and version = $version and reason is not null
group by reason
order by profiles desc, reason
