-- Destinations: events leave through the outbox as well, under the name destination/NAME.

alter table outbox
    -- what is sent as it stands, the text of a JSON object; null for a recommendation
    add column message text,
    -- the order in which rows came to be
    add column sequence bigint generated always as identity;
-- A row that was tried and waits holds up what its profile did later.
create index outbox_waiting on outbox (use_case, profile_id) where state = 'pending' and attempted_at is not null;
create index outbox_refused on outbox (use_case, sequence) where state = 'failed';
create index outbox_settled on outbox (due_at) where state in ('sent', 'failed');

-- Rows that were taken out of the outbox when they were old, counted.
create table outbox_total (
    use_case text not null,
    state text not null,
    reason text not null,
    count bigint not null,
    primary key (use_case, state, reason)
);

-- Days of which rows were taken out: nothing of them is put in again.
create table outbox_pruned (
    use_case text not null,
    day date not null,
    primary key (use_case, day)
);

-- A digest of what a destination was told last of a profile: the same is not told again.
create table destination_profile (
    destination text not null,
    profile_id bigint not null,
    digest bytea not null,
    primary key (destination, profile_id)
);
create index destination_profile_of_profile on destination_profile (profile_id);

-- A time as every program reads it.
create function iso_time(at_us bigint) returns text
    language sql stable strict parallel safe
    return to_char(to_timestamp(at_us / 1e6) at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"');
