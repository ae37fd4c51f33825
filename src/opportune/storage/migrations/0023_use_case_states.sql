-- What use cases may do: who said so, and since when. The newest row of a use case holds; without one it is live.

create table use_case_state (
    change_id bigint generated always as identity primary key,
    use_case text not null,
    state text not null check (state in ('draft', 'shadow', 'live', 'paused')),
    changed_at timestamptz not null,
    changed_by text not null,
    -- the definition said so when it was applied; what it said last is not said again
    by_definition boolean not null
);
create index use_case_state_of_use_case on use_case_state (use_case, change_id);
