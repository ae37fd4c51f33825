-- Which options go to whom: their shares above and below the middle of each feature, the strongest contrast of a pair first.
with spread as (
    select feature, max(edge) as largest, sum(edge * decisions) / sum(decisions) as mean,
        max(case when edge in (0, 1) then 0 else 1 end) as is_number
    from edges
    group by feature
),
level as (
    select feature, edge, sum(decisions) as decisions from edges group by feature, edge
),
running as (
    select feature, edge,
        sum(decisions) over (partition by feature order by edge) as so_far,
        sum(decisions) over (partition by feature) as total
    from level
),
middles as (
    select feature, min(edge) as middle from running where 2 * so_far >= total group by feature
),
-- Where more than half have the largest value, the mean is a cut that leaves somebody on both sides.
cuts as (
    select spread.feature, spread.is_number,
        case
            when spread.is_number = 0 then 0.5
            when middles.middle < spread.largest then middles.middle
            else spread.mean
        end as cut
    from spread
    join middles on middles.feature = spread.feature
),
counted as (
    select edges.feature, cuts.cut, cuts.is_number, edges.dimension, edges.choice,
        sum(case when edges.edge > cuts.cut then edges.decisions else 0 end) as above,
        sum(case when edges.edge > cuts.cut then 0 else edges.decisions end) as below
    from edges
    join cuts on cuts.feature = edges.feature
    group by edges.feature, cuts.cut, cuts.is_number, edges.dimension, edges.choice
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
