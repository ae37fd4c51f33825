-- Which destinations took it that somebody is to be forgotten, and which did not.
select case when state = 'sent' then 'told.' else 'not_told.' end || substr(use_case, 13) as table_name,
    count(*)::int as rows
from outbox
where strpos(key, '/forgotten:') > 0
group by table_name
order by table_name
