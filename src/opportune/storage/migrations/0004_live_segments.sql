-- Segments that follow every event: what they look back at, when time alone moves somebody, and whom to tell.

create table live_segment (
    segment text primary key,
    -- of the definition whose rule is followed
    version int not null,
    begun_at timestamptz not null,
    -- null: its members are still being found in bulk
    filled_at timestamptz
);

-- The events that some rule looks back at, with the properties that it reads, by the identifier that they name: whoever
-- has the identifier has the event, so merges and cuts change nothing here.
create table live_event (
    identifier_id bigint not null,
    occurred_at_us bigint not null,
    message_id text not null,
    event text,
    properties text,
    primary key (identifier_id, occurred_at_us, message_id)
);

-- The earliest moment at which an answer may change though nothing happens.
create table segment_wake (
    segment text not null,
    profile_id bigint not null,
    wake_at_us bigint not null,
    primary key (segment, profile_id)
) with (fillfactor = 85);
create index segment_wake_due on segment_wake (wake_at_us);

-- Who entered or left and is still to be told to the log.
create table segment_change (
    change_id bigint generated always as identity primary key,
    segment text not null,
    profile_id bigint not null,
    entered boolean not null,
    changed_at timestamptz not null,
    -- by nothing but imported history: nothing may be started for it
    by_history boolean not null
);

create index segment_membership_of_profile on segment_membership (profile_id) where left_at is null;

-- Profiles that are not what they were, whoever changed them: their segments are still to be asked.
create table profile_touched (
    profile_id bigint not null,
    -- its identifiers changed, and with them perhaps its events; false: its traits alone
    moved boolean not null
);

create function touch_changed_profile() returns trigger language plpgsql as $$
begin
    insert into profile_touched (profile_id, moved) values (new.profile_id, old.past_apart <> new.past_apart);
    return null;
end
$$;
create trigger profile_changed after update of traits, past_apart on profile
    for each row when (old.traits is distinct from new.traits or old.past_apart <> new.past_apart)
    execute function touch_changed_profile();

create function touch_both_profiles() returns trigger language plpgsql as $$
begin
    insert into profile_touched (profile_id, moved) values (old.profile_id, true), (new.profile_id, true);
    return null;
end
$$;
create trigger identifier_moved after update of profile_id, linked_at on identifier
    for each row when (old.profile_id <> new.profile_id or old.linked_at <> new.linked_at)
    execute function touch_both_profiles();

create function touch_profiles_of_identifiers() returns trigger language plpgsql as $$
begin
    insert into profile_touched (profile_id, moved) select distinct profile_id, true from named;
    return null;
end
$$;
create trigger identifier_added after insert on identifier
    referencing new table as named for each statement execute function touch_profiles_of_identifiers();
create trigger identifier_removed after delete on identifier
    referencing old table as named for each statement execute function touch_profiles_of_identifiers();

-- Whom a destination was told to be in an audience, by the identifier that it was told.
create table audience_published (
    audience text not null,
    destination text not null,
    kind text not null,
    value text not null,
    published_at timestamptz not null,
    primary key (audience, destination, kind, value)
);
