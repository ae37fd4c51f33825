-- Who may see people: links that are used once, the sessions they became, and tokens of programs.

create table sign_in (
    -- SHA-256 of the secret; the secret itself is nowhere
    digest bytea primary key,
    kind text not null check (kind in ('link', 'session', 'token')),
    name text not null,
    made_at timestamptz not null,
    -- null: until it is ended
    ends_at timestamptz
);
create index sign_in_name on sign_in (name);
