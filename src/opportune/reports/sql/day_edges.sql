-- Which options treatment's decisions of one day had, by where each feature lies on a scale of two digits: a decision
-- counts at the next edge up. Such counts add over days, and a cut at any edge can be made later.
with decided as (
    select profile_id, action
    from decisions
    where use_case = $use_case and version = $version
        and variant = 'treatment' and day = cast($day as date)
),
-- A number stands for an action while there is a row for each feature: lists are slow to compare.
acted as (
    select action, row_number() over (order by action) as code
    from decided
    group by action
),
known as (
    select feature_columns.position, acted.code, features."values"[feature_columns.position] as number
    from decided
    join acted on acted.action = decided.action
    join features on features.profile_id = decided.profile_id
    cross join feature_columns
    where features.use_case = $use_case and features.version = $version and features.day = cast($day as date)
),
-- The step is a tenth of the power of ten below: whole numbers up to a hundred are edges themselves.
stepped as (
    select position, code, number,
        case
            when abs(number) <= 1e-3 then 1e-5
            when abs(number) <= 1e-2 then 1e-4
            when abs(number) <= 1e-1 then 1e-3
            when abs(number) <= 1e0 then 1e-2
            when abs(number) <= 1e1 then 1e-1
            when abs(number) <= 1e2 then 1e0
            when abs(number) <= 1e3 then 1e1
            when abs(number) <= 1e4 then 1e2
            when abs(number) <= 1e5 then 1e3
            when abs(number) <= 1e6 then 1e4
            when abs(number) <= 1e7 then 1e5
            when abs(number) <= 1e8 then 1e6
            when abs(number) <= 1e9 then 1e7
            else 1e8
        end as step
    from known
    where not isnan(number) and abs(number) < 1e12
),
counted as (
    -- What rounding leaves of a number on an edge does not take it to the next one.
    select position, code, ceil(number / step - 1e-9) * step as edge, count(*) as decisions
    from stepped
    group by position, code, ceil(number / step - 1e-9) * step
)
select feature_columns.feature, counted.edge, dimensions.dimension,
    acted.action[dimensions.position] as choice, sum(counted.decisions)::bigint as decisions
from counted
join acted on acted.code = counted.code
join feature_columns on feature_columns.position = counted.position
cross join dimensions
group by feature_columns.feature, counted.edge, dimensions.dimension, acted.action[dimensions.position]
order by feature_columns.feature, counted.edge, dimensions.dimension, choice
