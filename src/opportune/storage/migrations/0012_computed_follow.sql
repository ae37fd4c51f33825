-- Computed traits follow events: whose values may be others by now, and by which definitions they were calculated.

create table computed_note (
    note_id bigint generated always as identity primary key,
    profile_id bigint not null
);

-- Null: not by any that is known.
alter table computed_as_of add column defined text;

-- Once for each statement: a first calculation writes a row for everybody.
drop trigger computed_trait_set on computed_trait;
drop trigger computed_trait_changed on computed_trait;
drop trigger computed_trait_dropped on computed_trait;
drop function touch_computed_profile();
create function touch_computed_profiles() returns trigger language plpgsql as $$
begin
    insert into profile_touched (profile_id, moved) select distinct profile_id, false from computed;
    return null;
end
$$;
create trigger computed_trait_set after insert on computed_trait
    referencing new table as computed for each statement execute function touch_computed_profiles();
create trigger computed_trait_changed after update on computed_trait
    referencing new table as computed for each statement execute function touch_computed_profiles();
create trigger computed_trait_dropped after delete on computed_trait
    referencing old table as computed for each statement execute function touch_computed_profiles();

-- Which version of its rules all stored events were read by: what they say of consent, and of accounts.
create table events_read (
    subject text primary key check (subject in ('accounts', 'consent')),
    version int not null
);
