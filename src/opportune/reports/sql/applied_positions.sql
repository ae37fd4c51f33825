-- How far State has taken in each segment of the log, without waiting for whoever is taking in more.
select segment_file, byte_offset
from log_position
where consumer = 'profiles'
order by segment_file
