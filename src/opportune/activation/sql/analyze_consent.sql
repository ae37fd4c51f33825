-- A table that has just been filled is taken for an empty one otherwise.
analyze consent
