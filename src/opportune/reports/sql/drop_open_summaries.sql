-- Days whose rewards are not in lose the decisions of who is erased; they are summed up again.
delete from day_summary where earned is null
