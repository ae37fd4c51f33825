-- What reports read beside the sums of a day: each look at a guard rail, what became of the audience, and the same
-- sums by segment. All of it is numbers of groups, of nobody alone.

create table guard_rail_look (
    use_case text not null,
    day date not null,
    metric text not null,
    direction text not null,
    -- the definition that was looked with
    allowed double precision not null,
    days int not null,
    look int not null,
    recipients bigint not null,
    affected bigint not null,
    mean double precision not null,
    m2 double precision not null,
    looked_at timestamptz not null,
    primary key (use_case, day, metric, direction)
);

-- of whom nothing is decided, by reason; '': of whom something may be
alter table day_summary add column audience jsonb;

-- of members as they were when the day was summed up
create table day_segment (
    use_case text not null,
    version int not null,
    day date not null,
    segment text not null,
    -- per dimension and option; null: no member was decided for on the day
    choices jsonb,
    -- per variant, over all mature days up to this one; null: the newest mature day was another
    totals jsonb,
    primary key (use_case, version, day, segment)
);

-- who applied it; '': from before it was asked, or nobody known
alter table definition add column created_by text not null default '';
