-- What was built beside is of no use any more, or out of date.
drop schema if exists opportune_rebuild cascade
