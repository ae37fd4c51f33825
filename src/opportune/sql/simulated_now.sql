-- The simulated time, where there is one.
select now from simulated_clock
