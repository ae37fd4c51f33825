-- Profiles that changed since somebody asked last.
delete from profile_touched
returning profile_id, moved
