-- How many of an audience were sent how often since a day, by how many use cases.
with member as (
    select profile_id
    from segment_membership
    where left_at is null and segment = any(%(segments)s)
    except
    select profile_id
    from segment_membership
    where left_at is null and segment = any(%(minus)s)
),
sent as (
    select outbox.profile_id, count(*) as sends, count(distinct outbox.use_case) as use_cases
    from outbox
    where outbox.use_case = any(%(use_cases)s) and outbox.state = 'sent' and outbox.day >= %(since)s
    group by outbox.profile_id
)
select coalesce(sent.sends, 0)::int as sends, coalesce(sent.use_cases, 0)::int as use_cases, count(*)::int as profiles
from member
left join sent on sent.profile_id = member.profile_id
group by 1, 2
order by 1, 2
