-- How far it has come.
select fingerprint, row_groups, events from opportune_rebuild.rebuild_progress
