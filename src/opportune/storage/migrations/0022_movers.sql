-- What moved the choices of a day, for who looks.

create table choice_mover (
    use_case text not null,
    version int not null,
    day date not null,
    -- a dimension, or two whose options matter together
    dimension text not null,
    -- '': what options are worth to everybody
    trait text not null,
    -- mean size, in log-odds, of what it added to or took from the chosen action
    moved double precision not null,
    primary key (use_case, version, day, dimension, trait)
);
