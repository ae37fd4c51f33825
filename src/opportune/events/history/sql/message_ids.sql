-- Ids of messages that bring none: the same for the same row, whichever file it stands in.
select
    place,
    'import-' || md5(concat_ws(
        '/',
        $source_id,
        $type,
        coalesce(event, ''),
        coalesce(user_id, ''),
        coalesce(anonymous_id, ''),
        cast(occurred_at_us as varchar),
        digest,
        cast(again as varchar),
        $twin
    )) as value
from cells
order by place
