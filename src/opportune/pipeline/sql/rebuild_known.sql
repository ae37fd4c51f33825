-- Whether this State ever took anything in.
select exists (select from log_position) as known
