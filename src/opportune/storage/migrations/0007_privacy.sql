-- Forgetting a person: what was asked for, what was done, the proof, and whom nobody may bring back.

create table privacy_request (
    request_id text primary key,
    mode text not null check (mode in ('erase', 'anonymise')),
    state text not null default 'received' check (state in ('received', 'running', 'done')),
    -- the identifier that was named; null once the person is gone
    kind text,
    value text,
    asked_by text not null,
    received_at timestamptz not null,
    started_at timestamptz,
    done_at timestamptz,
    -- what is being done just now
    step text,
    -- why the last try did not come to its end
    error text,
    -- how much of what was erased
    done jsonb not null default '{}',
    -- what was searched for what is left
    proof jsonb
);
create index privacy_request_open on privacy_request (received_at) where state <> 'done';

-- Every identifier of whoever is forgotten just now, and what stands in its place; empty between two passes.
create table privacy_subject (
    request_id text not null,
    identifier_id bigint not null,
    kind text not null,
    value text not null,
    new_id bigint not null,
    new_value text not null,
    profile_id bigint not null,
    new_profile_id bigint not null,
    primary key (identifier_id)
);

-- Who was forgotten, as salted hashes: what they did until then stays away, from wherever it comes.
create table privacy_suppressed (
    identifier_hash text primary key,
    salt text not null,
    forgotten_at_us bigint not null
);

create table privacy_expired (
    day date primary key,
    profiles bigint not null
);

-- The columns that can hold a value of a person or the id of a profile, in tables that were not there when this was
-- written as well.
create view privacy_column as
    select cls.relname::text as table_name, attribute.attname::text as column_name,
        format_type(attribute.atttypid, null) = 'bigint' as is_id
    from pg_class as cls
    join pg_namespace as space on space.oid = cls.relnamespace and space.nspname = current_schema()
    join pg_attribute as attribute on attribute.attrelid = cls.oid
        and attribute.attnum > 0 and not attribute.attisdropped
    where cls.relkind = 'r'
        and cls.relname not in ('privacy_request', 'privacy_subject', 'privacy_suppressed', 'migration')
        and (
            format_type(attribute.atttypid, null) in ('text', 'jsonb', 'json', 'text[]', 'jsonb[]')
            or format_type(attribute.atttypid, null) = 'bigint' and attribute.attname ~ '(^|_)id$'
        );

-- Every row about these profiles and identifiers, whatever table it is in.
create function privacy_rows(ids bigint[]) returns table (table_name text, body jsonb)
    language plpgsql stable
as $$
declare
    found record;
begin
    for found in
        select each.table_name,
            string_agg(format('%I = any($1)', each.column_name), ' or ') as named
        from privacy_column as each
        where each.is_id
        group by each.table_name
        order by each.table_name
    loop
        return query execute format(
            'select %L::text, to_jsonb(one) from %I as one where %s', found.table_name, found.table_name, found.named
        ) using ids;
    end loop;
end
$$;

-- Deletes what is said of these profiles and identifiers in every table but those named; says how much of which.
create function privacy_delete(ids bigint[], but text[]) returns table (table_name text, rows bigint)
    language plpgsql
as $$
declare
    found record;
begin
    for found in
        select each.table_name,
            string_agg(format('%I = any($1)', each.column_name), ' or ') as named
        from privacy_column as each
        where each.is_id and each.column_name ~ '(profile|identifier)_id$' and each.table_name <> all (but)
        group by each.table_name
        order by each.table_name
    loop
        return query execute format(
            'with gone as (delete from %I where %s returning 1) select %L::text, count(*) from gone',
            found.table_name, found.named, found.table_name
        ) using ids;
    end loop;
end
$$;

-- How many rows of which column still name somebody: by a value exactly, by a pattern, by one that knows no capitals,
-- or by an id.
create function privacy_mentions(exact text[], pattern text, folded text, ids bigint[])
    returns table (table_name text, column_name text, rows bigint, hits bigint)
    language plpgsql stable
as $$
declare
    found record;
begin
    for found in select * from privacy_column as each order by each.table_name, each.column_name loop
        if found.is_id then
            return query execute format(
                'select %L::text, %L::text, count(*), count(*) filter (where %I = any($1)) from %I',
                found.table_name, found.column_name, found.column_name, found.table_name
            ) using ids;
        else
            return query execute format(
                'select %L::text, %L::text, count(*), count(*) filter (where %I::text = any($1)'
                    ' or %I::text ~ $2 or %I::text ~* $3) from %I',
                found.table_name, found.column_name, found.column_name, found.column_name, found.column_name,
                found.table_name
            ) using exact, pattern, folded;
        end if;
    end loop;
end
$$;
