-- Segments in their newest versions: what is new or asks something else is to be filled.
with newest as (
    select distinct on (name) name, version, body
    from definition
    where kind = 'segment'
    order by name, version desc
)
insert into live_segment (segment, version, begun_at)
select newest.name, newest.version, %(now)s
from newest
left join live_segment as known on known.segment = newest.name
where known.version is distinct from newest.version
order by newest.name
on conflict (segment) do update set
    version = excluded.version,
    begun_at = excluded.begun_at,
    filled_at = case
        when (
            select before.body -> 'rule' = after.body -> 'rule'
            from definition as before, definition as after
            where before.kind = 'segment' and before.name = excluded.segment and before.version = live_segment.version
                and after.kind = 'segment' and after.name = excluded.segment and after.version = excluded.version
        ) then live_segment.filled_at
    end
returning segment
