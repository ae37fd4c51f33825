-- The date that a property of an event holds, of each such event with one.
select cast($field as integer) as field, profile_id, at_us
from (select profile_id, cast(null as bigint)/*date*/ as at_us from events where event = $event) as dated
where at_us is not null
