-- What arrives: every event name and field, the newest events, and rejects that were sent again.

create table catalogue_event (
    source_id text not null,
    -- a track event's name; of the other types the type itself
    type text not null,
    event text not null,
    events bigint not null,
    -- stored, though they break a tracking plan
    flagged bigint not null,
    -- refused by a tracking plan
    blocked bigint not null,
    -- in no tracking plan of their source
    unplanned bigint not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    primary key (source_id, type, event)
) with (fillfactor = 70);

-- Of the last eight days that anything arrived in.
create table catalogue_hour (
    hour timestamptz not null,
    source_id text not null,
    type text not null,
    event text not null,
    events bigint not null,
    primary key (hour, source_id, type, event)
) with (fillfactor = 70);

create table catalogue_field (
    source_id text not null,
    type text not null,
    event text not null,
    kind text not null check (kind in ('property', 'trait')),
    name text not null,
    strings bigint not null,
    integers bigint not null,
    numbers bigint not null,
    booleans bigint not null,
    arrays bigint not null,
    objects bigint not null,
    nulls bigint not null,
    -- values that look like an address, a number or an account of somebody
    personal_values bigint not null,
    -- how often it broke a tracking plan, by problem
    missing bigint not null,
    wrong_type bigint not null,
    wrong_value bigint not null,
    unplanned bigint not null,
    -- null: a plan asks for it, and it never came
    first_seen_at timestamptz,
    last_seen_at timestamptz,
    -- the newest value, masked where it may be personal
    sample text,
    primary key (source_id, type, event, kind, name)
) with (fillfactor = 70);

-- A ring: only the newest rows are kept.
create table event_tail (
    place bigint generated always as identity primary key,
    message_id text,
    source_id text not null,
    type text,
    event text,
    occurred_at timestamptz,
    received_at timestamptz not null,
    -- masked: enough to tell two people apart on a screen
    user_hint text,
    anonymous_hint text,
    -- to find the rows of one person
    user_hash bigint,
    anonymous_hash bigint,
    -- left_out: a row that says how many of its batch are not shown
    outcome text not null check (outcome in ('accepted', 'flagged', 'rejected', 'left_out')),
    reason text
);

create table reject_replay (
    source_id text not null,
    received_at timestamptz not null,
    index int not null,
    code text not null,
    -- when it was put into the log the last time
    sent_at timestamptz not null,
    -- which of these attempts the outcome is of
    answered_at timestamptz,
    outcome text check (outcome in ('accepted', 'refused')),
    primary key (source_id, received_at, index, code)
);
