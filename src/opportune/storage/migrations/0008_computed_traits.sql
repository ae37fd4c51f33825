-- What is calculated from the events of a profile, beside what it was told.

create table computed_trait (
    profile_id bigint primary key,
    -- trait -> value, of those that have one
    traits jsonb not null,
    changed_at timestamptz not null
) with (fillfactor = 85);

-- The moment that all of them are true for.
create table computed_as_of (
    singleton boolean primary key default true check (singleton),
    as_of timestamptz not null
);
