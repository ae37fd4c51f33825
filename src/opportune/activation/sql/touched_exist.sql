-- Whether anybody may have come into or gone out of an audience.
select exists (select from audience_touched) as are_any
