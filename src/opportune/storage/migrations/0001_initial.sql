-- Everything that must not race or must answer at once.

create table definition (
    kind text not null,
    name text not null,
    version int not null,
    body jsonb not null,
    created_at timestamptz not null,
    primary key (kind, name, version)
);

create table source (
    source_id text primary key,
    key_sha256 text not null unique,
    created_at timestamptz not null
);

create table profile (
    profile_id bigint primary key,
    traits jsonb not null default '{}',
    -- epoch microseconds at which each trait was set or removed: newest wins, in any order of arrival
    trait_set_at jsonb not null default '{}',
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null
);

create table identifier (
    kind text not null,
    value text not null,
    profile_id bigint not null references profile (profile_id),
    linked_at timestamptz not null,
    primary key (kind, value)
);
create index identifier_by_profile on identifier (profile_id);

create table segment_membership (
    segment text not null,
    profile_id bigint not null,
    entered_at timestamptz not null,
    left_at timestamptz,
    primary key (segment, profile_id, entered_at)
);
create unique index segment_membership_current on segment_membership (segment, profile_id)
    where left_at is null;

create table log_position (
    consumer text not null,
    segment_file text not null,
    byte_offset bigint not null,
    primary key (consumer, segment_file)
);

create table model (
    use_case text not null,
    version int not null,
    day date not null,
    -- the newest decision day whose rewards it has learned from
    trained_through date,
    body bytea not null,
    primary key (use_case, version, day)
);

create table job (
    kind text not null,
    key text not null,
    payload jsonb not null,
    due_at timestamptz not null,
    -- real time of the database, unlike due_at, which may be a simulated clock's
    leased_until timestamptz not null default '-infinity',
    attempts int not null default 0,
    done_at timestamptz,
    error text,
    primary key (kind, key)
);
create index job_due on job (due_at) where done_at is null;

create table outbox (
    key text primary key,
    use_case text not null,
    day date not null,
    connector text not null,
    profile_id bigint not null,
    user_id text not null,
    properties jsonb not null,
    due_at timestamptz not null,
    state text not null default 'pending'
        check (state in ('pending', 'reserved', 'unknown', 'sent', 'failed')),
    attempts int not null default 0,
    attempted_at timestamptz,
    leased_until timestamptz not null default '-infinity',
    dispatch_id text,
    reason text
);
create index outbox_due on outbox (use_case, due_at) where state = 'pending';
create index outbox_open on outbox (use_case, profile_id) where state in ('reserved', 'unknown');

create table bucket (
    name text primary key,
    tokens double precision not null,
    filled_at timestamptz not null
);

create table simulated_clock (
    singleton boolean primary key default true check (singleton),
    now timestamptz not null
);

-- The id of a profile whose first identifier is (kind, value): the same in every rebuild and every engine.
create function identity_hash(kind text, value text) returns bigint
    language sql immutable strict parallel safe
    return ('x' || encode(substring(sha256(convert_to(kind || ':' || value, 'UTF8')) for 8), 'hex'))::bit(64)::bigint;

-- Null for text that is valid JSON elsewhere but cannot be stored here (a NUL character, a number out of range):
-- one such event must not stop the others.
create function try_jsonb_object(body text) returns jsonb
    language plpgsql immutable strict parallel safe
as $$
declare
    parsed jsonb;
begin
    parsed := body::jsonb;
    return case when jsonb_typeof(parsed) = 'object' then parsed end;
exception when data_exception or invalid_text_representation or program_limit_exceeded then
    return null;
end
$$;
