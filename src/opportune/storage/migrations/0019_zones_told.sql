-- Whose events name no zone need not be read to know that.

create index event_hour_zoned on event_hour (identifier_id, hour) where zone is not null;
