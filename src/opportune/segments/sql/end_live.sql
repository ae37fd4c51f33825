-- Segments that are defined no more.
delete from live_segment
where not exists (
    select from definition where definition.kind = 'segment' and definition.name = live_segment.segment
)
returning segment
