-- Up to which note everybody is known, how many notes there are, and by which definitions values were calculated.
select coalesce(max(note_id), 0) as upto, count(*) as notes,
    (select defined from computed_as_of) as defined,
    exists (select from computed_as_of) as was_computed
from computed_note
