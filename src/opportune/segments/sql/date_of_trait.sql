-- The date that a trait holds, of each profile with one.
select cast($field as integer) as field, profile_id, at_us
from (select profile_id, cast(null as bigint)/*date*/ as at_us from profiles) as dated
where at_us is not null
