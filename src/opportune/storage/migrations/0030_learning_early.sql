-- What decided a day that had also seen rewards of days whose window was still open.

alter table model
    -- null: the body itself decided; nothing goes on from this one
    add column provisional bytea,
    -- so many decisions it had seen beyond the body's
    add column waiting int not null default 0;

alter table model alter column provisional set storage external;
