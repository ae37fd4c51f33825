-- Moves in the same transaction as the data that was read up to there, and never goes back.
insert into log_position (consumer, segment_file, byte_offset)
select 'profiles', place.segment_file, place.byte_offset
from unnest(%(files)s::text[], %(offsets)s::bigint[]) as place (segment_file, byte_offset)
order by place.segment_file
on conflict (consumer, segment_file) do update set
    byte_offset = greatest(log_position.byte_offset, excluded.byte_offset)
