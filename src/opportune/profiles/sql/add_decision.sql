-- What was decided, for the history.
insert into identity_decision (owner_id, other_id, decision, joined_one_id, joined_two_id, decided_by, decided_at)
values (%(owner_id)s, %(other_id)s, %(decision)s, %(joined_one_id)s, %(joined_two_id)s, %(by)s, %(now)s)
