-- They are up to date.
delete from computed_note
where note_id <= %(upto)s
