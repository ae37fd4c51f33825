-- How days were decided under a budget, and use cases that a guard rail has stopped.

-- For who looks: what was spent is read from decisions and rewards.
create table budget_day (
    use_case text not null,
    day date not null,
    -- what the day could spend at most, and what its actions cost if every reward comes
    available double precision not null,
    committed double precision not null,
    shadow_price double precision not null,
    decided int not null,
    restricted int not null,
    held_back int not null,
    primary key (use_case, day)
);

create table use_case_stop (
    stop_id bigint generated always as identity primary key,
    use_case text not null,
    -- the day that was not decided
    day date not null,
    stopped_at timestamptz not null,
    reason text not null,
    resumed_at timestamptz,
    resumed_by text
);
-- A use case is stopped once, until somebody lets it go on.
create unique index use_case_stopped on use_case_stop (use_case) where resumed_at is null;
create index use_case_stop_of_use_case on use_case_stop (use_case, stop_id);
