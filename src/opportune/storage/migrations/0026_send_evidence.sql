-- What is known of a send whose answer never came: from engagement, or from a person who decided about it.

alter table outbox
    -- of the first call, unlike attempted_at: engagement with any call of the row is evidence
    add column first_attempted_at timestamptz,
    -- seen: engagement shows that it went out; aborted: that it did not
    add column evidence text check (evidence in ('seen', 'aborted')),
    -- what an operator decided, until it is carried out
    add column choice text check (choice in ('went_out', 'send_again', 'give_up')),
    add column chosen_by text,
    add column chosen_at timestamptz,
    -- how often it was sent again after it had been given up
    add column reopened int not null default 0;
update outbox set first_attempted_at = attempted_at where attempted_at is not null;
-- Few at any time: those that engagement can tell something of.
create index outbox_ambiguous on outbox (user_id)
    where state in ('reserved', 'unknown') or (state = 'pending' and attempted_at is not null);
