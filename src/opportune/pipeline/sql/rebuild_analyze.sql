-- The planner knows nothing of tables that are filled at once.
select analyze_rebuilt()
