-- Calls that were counted and perhaps never made, because their maker was killed: the next answer tells how many are left.
update rate_window set remaining = calls
