-- How many messages arrived in each minute, for whoever asks whether data come in at all.

create table received_minute (
    minute timestamptz primary key,
    accepted bigint not null,
    -- stored, though they break a tracking plan
    flagged bigint not null,
    rejected bigint not null
) with (fillfactor = 50);
