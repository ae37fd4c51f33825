-- A row that waits beyond its time is not sent while it is quiet where its profile lives.

-- All three or none: times of day on the clock of the zone, the first belonging to it, the second not.
alter table outbox
    add column zone text,
    add column quiet_from time,
    add column quiet_to time;
create index outbox_quiet on outbox (use_case, due_at) where state = 'pending' and quiet_from is not null;

-- When the quiet hours that hold at a moment end; null where none hold.
create function quiet_until(at timestamptz, zone text, quiet_from time, quiet_to time) returns timestamptz
    language sql stable strict parallel safe
    return case
        when case
            when quiet_from < quiet_to
                then (at at time zone zone)::time >= quiet_from and (at at time zone zone)::time < quiet_to
            else (at at time zone zone)::time >= quiet_from or (at at time zone zone)::time < quiet_to
        end
        then greatest(
            at + interval '1 microsecond',
            ((at at time zone zone)::date + quiet_to
                + case when (at at time zone zone)::time >= quiet_to then interval '1 day' else interval '0' end
            ) at time zone zone
        )
    end;
