-- How many decisions of a filter each day has: the total of the list, and where a page of it lies.
select decisions.day, count(*) as decisions
from decisions
left join places on places.version = decisions.version
where decisions.use_case = $use_case
    and decisions.day between cast($from_day as date) and cast($to_day as date)
    and ($version = 0 or decisions.version = $version)
    and ($variant = '' or decisions.variant = $variant)
    and ($explored < 0 or case when decisions.explored then 1 else 0 end = $explored)
    and ($option = '' or decisions.action[places.position] = $option)
    and ($anybody = 1 or decisions.profile_id between $lowest_id and $highest_id)
    and ($anybody = 1 or exists (select 1 from ids where ids.profile_id = decisions.profile_id))
group by decisions.day
order by decisions.day desc
