-- One change of a state at a time.
lock table use_case_state in share row exclusive mode
