-- Calls that are about to be made; of a window that is over, they are the first of the next one, whose end an answer tells.
update rate_window set
    remaining = case when resets_at > clock_timestamp() then remaining else calls end - %(calls)s,
    resets_at = case when resets_at > clock_timestamp() then resets_at else clock_timestamp() + interval '1 hour' end
where name = %(name)s
