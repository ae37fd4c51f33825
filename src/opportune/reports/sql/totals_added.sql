-- What each profile earned so far, with one more day.
with together as (
    select profile_id, variant, reward, net from known
    union all
    select profile_id, variant, reward, net from earned
)
select profile_id, variant, sum(reward) as reward, sum(net) as net
from together
group by profile_id, variant
order by profile_id, variant
