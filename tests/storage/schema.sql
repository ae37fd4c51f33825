-- Every table, index and function of the program, one a line, alike on each version of PostgreSQL.
with found as (
    select c.relname as name, 1 as part, a.attnum::int as place,
        '    ' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || case when a.attnotnull then ' not null' else '' end
        || coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') as line
    from pg_class as c
    join pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef as d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    union all
    select c.relname, 0, 0, 'table ' || c.relname
    from pg_class as c
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    union all
    -- not null is told with its column; newer servers list it here as well
    select c.relname, 2, row_number() over (partition by c.oid order by n.conname)::int,
        '    ' || n.conname || ': ' || pg_get_constraintdef(n.oid)
    from pg_class as c
    join pg_constraint as n on n.conrelid = c.oid and n.contype <> 'n'
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'
    union all
    select c.relname, 3, row_number() over (partition by c.oid order by i.relname)::int,
        '    ' || pg_get_indexdef(i.oid)
    from pg_class as c
    join pg_index as x on x.indrelid = c.oid
    join pg_class as i on i.oid = x.indexrelid
    left join pg_constraint as n on n.conindid = i.oid and n.contype in ('p', 'u', 'x')
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and n.oid is null
    union all
    select '~' || p.proname, 4, p.oid::int, pg_get_functiondef(p.oid)
    from pg_proc as p
    where p.pronamespace = 'public'::regnamespace and p.prokind in ('f', 'p')
)
select line from found
order by name collate "C", part, place
