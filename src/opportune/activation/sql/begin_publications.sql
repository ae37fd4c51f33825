-- Which audience is published where from now on; what is another one than before begins anew. Returns what is refused
-- now and was not, or for another reason.
with wanted as (
    select *
    from jsonb_to_recordset(%(wanted)s::jsonb) as wanted (
        audience text, destination text, segments text[], minus text[], purpose text, channel text, assumed boolean,
        refused text
    )
),
before as (
    select audience, destination, refused
    from audience_publication
),
begun as (
    insert into audience_publication as known (
        audience, destination, segments, minus, purpose, channel, assumed, refused
    )
    select audience, destination, segments, minus, purpose, channel, assumed, refused
    from wanted
    order by audience, destination
    on conflict (audience, destination) do update set
        segments = excluded.segments,
        minus = excluded.minus,
        purpose = excluded.purpose,
        channel = excluded.channel,
        assumed = excluded.assumed,
        refused = excluded.refused,
        filled = null
    where (known.segments, known.minus, known.purpose, known.channel, known.assumed, known.refused)
        is distinct from (
            excluded.segments, excluded.minus, excluded.purpose, excluded.channel, excluded.assumed, excluded.refused
        )
),
ended as (
    update audience_publication as known set segments = '{}', minus = '{}', refused = null, filled = null
    where known.segments <> '{}' and not exists (
        select from wanted where wanted.audience = known.audience and wanted.destination = known.destination
    )
)
select wanted.audience, wanted.destination, wanted.refused
from wanted
left join before using (audience, destination)
where wanted.refused is not null and wanted.refused is distinct from before.refused
order by wanted.audience, wanted.destination
