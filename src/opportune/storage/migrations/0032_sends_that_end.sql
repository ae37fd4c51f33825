-- What waits for its time is not sent to whom it would come too late.

alter table outbox
    -- names of events with which its person has done what the message asks for; null: none ends it
    add column ends_on text[],
    -- such an event counts when it happened from then on
    add column ends_from timestamptz;
create index outbox_ends on outbox (user_id) where state = 'pending' and ends_on is not null;
