-- The campaign's own choices as decisions of a day, with the probability that each had.
select
    $use_case || ':' || strftime(cast($day as date), '%Y%m%d') || ':' || printf('%016x', features.profile_id)
        as decision_id,
    features.use_case,
    features.version,
    features.day,
    features.profile_id,
    features.user_id,
    'treatment' as variant,
    chosen.action,
    chosen.propensity,
    chosen.dimension_propensities,
    features.eligible,
    'logged' as policy_version,
    false as explored,
    make_timestamptz($decided_at_us) as decided_at,
    cast($decided_at_us as bigint) as decided_at_us,
    make_timestamptz($decided_at_us) as due_at,
    features.zone,
    cast(null as double) as cost,
    cast(null as double) as cost_rewarded,
    cast(null as double) as shadow_price,
    cast(null as double) as expected
from features
join chosen on chosen.user_id = features.user_id
where features.use_case = $use_case and features.day = cast($day as date)
order by features.profile_id
