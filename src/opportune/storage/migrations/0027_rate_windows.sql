-- How many calls a receiver still takes, as its own answers said last; read in the transaction that reserves.

create table rate_window (
    name text primary key,
    -- calls of a whole window
    calls int not null,
    remaining int not null,
    resets_at timestamptz not null,
    told_at timestamptz not null
);
