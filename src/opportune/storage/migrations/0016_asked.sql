-- Decisions on request: each answer is kept before it is given, once under the caller's key, until the lake has it.

create table asked_decision (
    place bigint generated always as identity,
    use_case text not null,
    profile_id bigint not null,
    -- a digest of the caller's id of the request
    request text not null,
    decided_at timestamptz not null,
    -- what was answered, and the rows of the lake, as JSON
    answer text not null,
    record text not null,
    -- the commit of the lake that has it, and since when it is there
    batch text,
    kept_at timestamptz,
    primary key (use_case, profile_id, request)
);
create index asked_decision_waiting on asked_decision (place) where kept_at is null;
create index asked_decision_kept on asked_decision (kept_at) where kept_at is not null;
