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

-- Segments may read them: whose values changed is asked about again.
create function touch_computed_profile() returns trigger language plpgsql as $$
begin
    insert into profile_touched (profile_id, moved) values (coalesce(new.profile_id, old.profile_id), false);
    return null;
end
$$;
create trigger computed_trait_set after insert on computed_trait
    for each row execute function touch_computed_profile();
create trigger computed_trait_changed after update of traits on computed_trait
    for each row when (old.traits is distinct from new.traits) execute function touch_computed_profile();
create trigger computed_trait_dropped after delete on computed_trait
    for each row execute function touch_computed_profile();
