-- How many people said what of each purpose and channel.
select purpose, channel, state, count(*)::bigint as people
from consent
group by purpose, channel, state
order by purpose, channel, state
