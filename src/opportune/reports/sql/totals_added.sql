-- What each profile earned so far, with one more day; what it brought before anything was decided of it stays.
with together as (
    select profile_id, variant, reward, net, earlier from known
    union all
    select profile_id, variant, reward, net, cast(null as double) as earlier from earned
)
select profile_id, variant, sum(reward) as reward, sum(net) as net, max(earlier) as earlier
from together
group by profile_id, variant
order by profile_id, variant
