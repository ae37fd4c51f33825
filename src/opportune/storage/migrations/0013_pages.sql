-- Who may see people, the views of the list of people that somebody keeps, and who is in such a list.

create table sign_in (
    -- SHA-256 of the secret; the secret itself is nowhere
    digest bytea primary key,
    kind text not null check (kind in ('link', 'session', 'token')),
    -- of who reads pages, not of a person that they show
    name text not null,
    made_at timestamptz not null,
    -- null: until it is ended
    ends_at timestamptz
);
create index sign_in_name on sign_in (name);

create table people_view (
    title text primary key,
    segment text,
    columns text[] not null,
    sort text not null,
    descending boolean not null,
    kept_by text not null,
    kept_at timestamptz not null
);

-- As in 0009, without the names of those who sign in.
create or replace view privacy_column as
    select cls.relname::text as table_name, attribute.attname::text as column_name,
        format_type(attribute.atttypid, null) = 'bigint' as is_id
    from pg_class as cls
    join pg_namespace as space on space.oid = cls.relnamespace and space.nspname = current_schema()
    join pg_attribute as attribute on attribute.attrelid = cls.oid
        and attribute.attnum > 0 and not attribute.attisdropped
    where cls.relkind = 'r'
        and cls.relname not in ('privacy_request', 'privacy_subject', 'privacy_suppressed', 'migration', 'sign_in')
        and (
            format_type(attribute.atttypid, null) in ('text', 'jsonb', 'json', 'text[]', 'jsonb[]')
            or format_type(attribute.atttypid, null) = 'bigint' and attribute.attname ~ '(^|_)id$'
        );

-- The beginning of an identifier is looked for without capitals.
create index identifier_by_folded_value on identifier (lower(value) text_pattern_ops);

-- What people are sorted and counted by, as a number: a time as seconds since 1970, or a trait that is a number. Beyond
-- the range of a double a trait is the largest there is.
create function person_number(sort text, trait text, traits jsonb, first_seen_at timestamptz, last_seen_at timestamptz)
    returns double precision language sql stable parallel safe
as $$
    select case sort
        when 'last_seen' then extract(epoch from last_seen_at)::double precision
        when 'first_seen' then extract(epoch from first_seen_at)::double precision
        when 'trait' then case
            when jsonb_typeof(traits -> trait) = 'number'
                then greatest(least((traits ->> trait)::numeric, 1e300), -1e300)::double precision
        end
    end
$$;

-- The same as text.
create function person_text(sort text, trait text, traits jsonb)
    returns text language sql stable parallel safe
as $$
    select case sort
        when 'name' then coalesce(traits ->> 'name', traits ->> 'firstName', traits ->> 'first_name', traits ->> 'email')
        when 'trait' then traits ->> trait
    end
$$;

-- Whether somebody is in a part of a column (null: in any).
create function people_picked(
    picked text, number double precision, value text, low double precision, high double precision, said text
)
    returns boolean language sql immutable parallel safe
as $$
    select case picked
        when 'range' then coalesce(number >= low and number < high, false)
        when 'value' then coalesce(value = said, false)
        when 'no_number' then number is null
        when 'no_value' then value is null
        else true
    end
$$;

-- Who is in a list: the page, its count, its chart and its export all ask this. A search finds a part of a name or an
-- address, and the beginning of an identifier. Each of the three ways in is planned by itself: only one of them is
-- taken, which is known before.
create function people_found(
    search text, segment text, ids bigint[], picked text, sort text, trait text,
    low double precision, high double precision, said text
)
    returns setof profile language sql stable parallel safe
as $$
    select profile.*
    from profile
    where search is null and people_found.segment is null
        and (people_found.ids is null or profile.profile_id = any (people_found.ids))
        and people_picked(
            picked, person_number(sort, trait, profile.traits, profile.first_seen_at, profile.last_seen_at),
            person_text(sort, trait, profile.traits), low, high, said
        )
    union all
    select profile.*
    from segment_membership as membership
    join profile on profile.profile_id = membership.profile_id
    where search is null and people_found.segment is not null
        and membership.segment = people_found.segment and membership.left_at is null
        and (people_found.ids is null or profile.profile_id = any (people_found.ids))
        and people_picked(
            picked, person_number(sort, trait, profile.traits, profile.first_seen_at, profile.last_seen_at),
            person_text(sort, trait, profile.traits), low, high, said
        )
    union all
    select profile.*
    from (
        select named.profile_id
        from profile as named
        where position(lower(search) in lower(concat_ws(
            ' ', named.traits ->> 'name', named.traits ->> 'firstName', named.traits ->> 'first_name',
            named.traits ->> 'lastName', named.traits ->> 'last_name', named.traits ->> 'email'
        ))) > 0
        union
        select identifier.profile_id
        from identifier
        where lower(identifier.value) like
            replace(replace(replace(lower(search), '\', '\\'), '%', '\%'), '_', '\_') || '%'
    ) as hit
    join profile on profile.profile_id = hit.profile_id
    where search is not null
        and (
            people_found.segment is null
            or exists (
                select from segment_membership as membership
                where membership.segment = people_found.segment and membership.profile_id = hit.profile_id
                    and membership.left_at is null
            )
        )
        and (people_found.ids is null or profile.profile_id = any (people_found.ids))
        and people_picked(
            picked, person_number(sort, trait, profile.traits, profile.first_seen_at, profile.last_seen_at),
            person_text(sort, trait, profile.traits), low, high, said
        )
$$;
