-- Who is named by events of a time, each once, with the earliest.
select 'user_id' as kind, user_id as value, min(occurred_at_us) as first_us
from events
where user_id is not null and occurred_at_us <= $newest_us
group by user_id
union all
select 'anonymous_id', anonymous_id, min(occurred_at_us)
from events
where anonymous_id is not null and occurred_at_us <= $newest_us
group by anonymous_id
order by kind, value
