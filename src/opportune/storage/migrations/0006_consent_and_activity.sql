-- What people allow, when they were active, who told what of them, and the accounts they belong to.

-- The newest that was said, by identifier: a cut gives it back to whom it belongs. '*' stands for every purpose or channel.
create table consent (
    identifier_id bigint not null,
    purpose text not null,
    channel text not null,
    -- unknown: what was said before was removed
    state text not null check (state in ('granted', 'unknown', 'withdrawn')),
    said_at_us bigint not null,
    message_id text not null,
    source_id text not null,
    evidence jsonb not null,
    primary key (identifier_id, purpose, channel)
) with (fillfactor = 85);

-- Null: nobody's consent is asked for.
alter table outbox add column purpose text, add column channel text;
-- In somebody's hands when consent was withdrawn: never to be tried again.
alter table outbox add column withdrawn boolean not null default false;
create index outbox_of_user on outbox (user_id, due_at);

-- Which hours have events of an identifier, and when those were received: where to look for them in the lake.
create table event_hour (
    identifier_id bigint not null,
    received_from_us bigint not null,
    received_to_us bigint not null,
    -- the newest event of the hour that named a time zone
    zone_at_us bigint,
    -- hours since 1970
    hour int not null,
    events int not null,
    zone text,
    primary key (identifier_id, hour)
) with (fillfactor = 85);

-- Which message said what an identifier was told at a time, as long as anything of it counts.
create table telling (
    identifier_id bigint not null,
    said_at text not null,
    source_id text not null,
    message_id text not null,
    primary key (identifier_id, said_at)
);

create table account (
    account_id text primary key,
    -- when something was said -> trait -> value, each trait once, as it was said last
    told jsonb not null,
    first_seen_at_us bigint not null,
    last_seen_at_us bigint not null
);
create table account_member (
    account_id text not null,
    identifier_id bigint not null,
    joined_at_us bigint not null,
    message_id text not null,
    source_id text not null,
    primary key (account_id, identifier_id)
);
create index account_member_by_identifier on account_member (identifier_id);

-- What people write for yes and no. Null: nothing that could be read.
create function consent_state(said jsonb) returns text
    language sql immutable parallel safe
    return case
        when said = 'null' then 'unknown'
        when lower(said #>> '{}') in ('true', 'yes', 'granted', 'opted_in', 'subscribed') then 'granted'
        when lower(said #>> '{}') in ('false', 'no', 'denied', 'withdrawn', 'opted_out', 'unsubscribed') then 'withdrawn'
    end;

-- The identifier that a message belongs to: the user's, or where there is none that can be used the anonymous one.
create function holder(user_id text, anonymous_id text, blocked text[], blocked_patterns text[]) returns bigint
    language sql immutable parallel safe
    return case
        when char_length(user_id) between 1 and 500 and lower(user_id collate "C") <> all (blocked)
            and not user_id ~ any (blocked_patterns) then identity_hash('user_id', user_id)
        when char_length(anonymous_id) between 1 and 500 and lower(anonymous_id collate "C") <> all (blocked)
            and not anonymous_id ~ any (blocked_patterns) then identity_hash('anonymous_id', anonymous_id)
    end;
