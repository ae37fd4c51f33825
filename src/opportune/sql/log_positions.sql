-- How far State has taken in each of these segments of the log; locked, so that two processes cannot apply
-- the same frames.
select segment_file, byte_offset
from log_position
where consumer = 'profiles' and segment_file = any(%(files)s)
order by segment_file
for update
