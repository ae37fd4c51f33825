-- Nobody asks anything.
delete from profile_touched
