-- What the receiver holds until its time: handed over ahead, and taken back while it can be.

alter table outbox
    drop constraint outbox_state_check,
    add constraint outbox_state_check
        check (state in ('pending', 'reserved', 'scheduled', 'unknown', 'sent', 'failed')),
    -- until when the receiver was told to hold it; null: it is handed over when it is due
    add column held_until timestamptz,
    -- what the connector needs to take it back, as soon as the receiver has said that it holds it
    add column schedule_id text,
    -- why it is to be taken back; empty: to wait in the outbox again, null: it is not
    add column recall text,
    -- when the receiver was asked to give it back, and may have done so
    add column recalled_at timestamptz;
create index outbox_held on outbox (use_case, held_until) where state = 'scheduled';
create index outbox_schedule on outbox (schedule_id) where state = 'scheduled';
drop index outbox_ends;
create index outbox_ends on outbox (user_id)
    where state in ('pending', 'reserved', 'scheduled', 'unknown') and ends_on is not null;
drop index outbox_ambiguous;
create index outbox_ambiguous on outbox (user_id)
    where state in ('reserved', 'scheduled', 'unknown') or (state = 'pending' and attempted_at is not null);
