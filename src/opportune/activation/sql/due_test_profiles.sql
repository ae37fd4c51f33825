-- Temporary profiles that are old enough to be removed, those of one workspace together.
select base_url, array_agg(external_id order by external_id) as external_ids
from (
    select base_url, external_id
    from braze_test_profile
    where noted_at <= %(before)s
    order by noted_at, external_id
    limit %(limit)s
) as due
group by base_url
order by base_url
