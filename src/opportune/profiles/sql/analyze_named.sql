-- Without statistics, the joins of a large batch with itself take minutes.
analyze named (identifier_id, kind, profile_id), candidate (owner_id, other_id)
