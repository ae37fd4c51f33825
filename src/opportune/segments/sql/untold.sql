-- Beginnings and ends of memberships that the log does not know, some hundred of a segment together.
with waiting as (
    select place, segment, lpad(to_hex(profile_id), 16, '0') as profile,
        (extract(epoch from entered_at) * 1000000)::bigint as entered_at_us,
        (extract(epoch from left_at) * 1000000)::bigint as left_at_us
    from membership_untold
    order by place
    limit %(limit)s
),
counted as (
    select waiting.*, (row_number() over (partition by segment order by place) - 1) / %(together)s as part
    from waiting
)
select segment, count(*)::int as changes, array_agg(place) as places,
    json_agg(json_build_array(profile, entered_at_us, left_at_us, place) order by place)::text as memberships
from counted
group by segment, part
order by min(place)
