-- The names of events, properties and traits that come most often: what a person may mean.
select kind, name
from (
    select kind, name, row_number() over (partition by kind order by total desc, name) as place
    from (
        select case when type = 'track' then 'event' else 'type' end as kind, event as name, sum(events) as total
        from catalogue_event
        group by 1, 2
        union all
        select kind, name, sum(strings + integers + numbers + booleans + arrays + objects) as total
        from catalogue_field
        group by kind, name
    ) as counted
    where name <> '(others)'
) as ranked
where place <= %(most)s
order by kind, place
