-- What is reported of each decided day, summed up once: it adds, and is made anew from the lake where it is missing.

create table day_summary (
    use_case text not null,
    version int not null,
    day date not null,
    -- of how many decisions: where the lake has another count, the row no longer holds
    decisions bigint not null,
    -- per variant, and per dimension and option
    variants jsonb not null,
    choices jsonb not null,
    -- per feature, edge of its scale, dimension and option
    edges jsonb,
    -- null until its rewards are in: what the day earned, and what all days up to it did
    earned jsonb,
    totals jsonb,
    primary key (use_case, version, day)
);
