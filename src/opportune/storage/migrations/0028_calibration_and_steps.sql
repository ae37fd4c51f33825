-- What a policy expected of the decisions of a day beside what came, and how long each step of a day's run took.

-- by tenths of what was expected; null until the rewards of the day are in, and where nothing was expected
alter table day_summary add column calibration jsonb;

create table day_step (
    use_case text not null,
    day date not null,
    step text not null,
    -- in the order of the run
    place int not null,
    seconds double precision not null,
    began_at timestamptz not null,
    primary key (use_case, day, step)
);
