-- Ids under which Braze counts a day's sends of one use case apart; null: Braze gave none that day.

create table braze_send_id (
    use_case text not null,
    campaign_id text not null,
    day date not null,
    send_id text,
    made_at timestamptz not null,
    primary key (use_case, campaign_id, day)
);
