-- What a policy knew before its use case began: of version 0 where it waits, and beside every model that goes on from it.

alter table model
    -- where that was learned, how many rows, at which share; null: it began with nothing
    add column warm_start jsonb;
