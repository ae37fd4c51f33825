-- The definitions of the segments that are followed.
select live_segment.segment, live_segment.version, live_segment.filled_at, definition.body
from live_segment
join definition on definition.kind = 'segment' and definition.name = live_segment.segment
    and definition.version = live_segment.version
order by live_segment.segment
