-- What was built takes the place of what was there.
select swap_rebuilt()
