-- Once all segments of a publication are filled, and whenever one of them was filled anew, everybody who is in or was
-- told to be is looked at.
with found as (
    select each.publication_id, each.filled as before,
        case
            when coalesce(bool_and(live.filled_at is not null) filter (where part.segment is not null), true)
                then coalesce(jsonb_object_agg(part.segment, live.filled_at) filter (where part.segment is not null), '{}')
        end as filled
    from audience_publication as each
    left join lateral unnest(each.segments || each.minus) as part (segment) on true
    left join live_segment as live on live.segment = part.segment
    group by each.publication_id
),
noted as (
    update audience_publication as each set filled = found.filled
    from found
    where each.publication_id = found.publication_id and found.filled is distinct from found.before
    returning each.publication_id, each.segments, each.filled
)
insert into audience_touched (profile_id)
select distinct moved.profile_id
from (
    select member.profile_id
    from noted
    join segment_membership as member on member.segment = any (noted.segments) and member.left_at is null
    where noted.filled is not null
    union all
    select told.profile_id
    from noted
    join audience_published as told on told.publication_id = noted.publication_id
    where noted.filled is not null
) as moved
order by moved.profile_id
