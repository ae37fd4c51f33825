-- Use cases with cool-downs, a cadence or a budget decide on request as well: what was promised is written down before.

create table on_request (
    use_case text primary key,
    -- grows with every run of a day: who read what was decided before that reads it again
    epoch bigint not null default 0,
    -- the day that is being decided just now: nothing is decided on request meanwhile
    deciding date,
    -- millionths of the budget's unit: what answers cost that were kept, and what is held for answers that are being made
    kept bigint not null default 0,
    held bigint not null default 0
);

alter table asked_decision
    -- whose it is, the how manieth of this person, and what it was as a contact; null where nobody asks for that
    add column user_id text,
    add column contact int,
    add column had jsonb,
    -- millionths that it may cost
    add column cost bigint not null default 0;

create unique index asked_decision_contact on asked_decision (use_case, user_id, contact) where contact is not null;
