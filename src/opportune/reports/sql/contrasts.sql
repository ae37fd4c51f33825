-- Which options go to whom: their shares above and below the middle of each feature, the strongest contrast of a pair first.
with chosen as (
    select decisions.day, decisions.profile_id, dimensions.dimension,
        decisions.action[dimensions.position] as choice
    from decisions
    cross join dimensions
    where decisions.use_case = $use_case and decisions.version = $version
        and decisions.variant = 'treatment' and decisions.day >= cast($from_day as date)
),
known as (
    select features.day, features.profile_id, feature_columns.feature,
        features."values"[feature_columns.position] as number
    from features
    cross join feature_columns
    where features.use_case = $use_case and features.version = $version
        and features.day >= cast($from_day as date)
),
present as (
    select day, profile_id, feature, number from known where not isnan(number)
),
spread as (
    select feature, median(number) as middle, avg(number) as mean, max(number) as largest,
        max(case when number in (0, 1) then 0 else 1 end) as is_number
    from present
    group by feature
),
-- Where more than half have the largest value, the mean is a cut that leaves somebody on both sides.
cuts as (
    select feature, is_number,
        case when is_number = 0 then 0.5 when middle < largest then middle else mean end as cut
    from spread
),
sides as (
    select present.day, present.profile_id, present.feature, cuts.cut, cuts.is_number,
        case when present.number > cuts.cut then 1 else 0 end as is_above
    from present
    join cuts on cuts.feature = present.feature
),
counted as (
    select sides.feature, sides.cut, sides.is_number, chosen.dimension, chosen.choice,
        sum(sides.is_above) as above, sum(1 - sides.is_above) as below
    from sides
    join chosen on chosen.day = sides.day and chosen.profile_id = sides.profile_id
    group by sides.feature, sides.cut, sides.is_number, chosen.dimension, chosen.choice
),
totalled as (
    select feature, cut, is_number, dimension, choice, above, below,
        sum(above) over (partition by feature, dimension) as all_above,
        sum(below) over (partition by feature, dimension) as all_below
    from counted
),
shared as (
    select feature, cut, is_number, dimension, choice, all_above, all_below,
        above / cast(all_above as double) as share_above, below / cast(all_below as double) as share_below
    from totalled
    where all_above >= $fewest and all_below >= $fewest
        and abs(above / cast(all_above as double) - below / cast(all_below as double)) >= $least
),
ranked as (
    select feature, cut, is_number, dimension, choice, all_above, all_below, share_above, share_below,
        row_number() over (
            partition by feature, dimension
            order by floor(abs(share_above - share_below) * 1e6 + 0.5) desc, share_above - share_below desc, choice
        ) as place
    from shared
)
select feature, cut, is_number = 1 as is_number, dimension, choice as option,
    all_above::bigint as above, all_below::bigint as below, share_above, share_below
from ranked
where place = 1
order by abs(share_above - share_below) desc, feature, dimension
limit $most
