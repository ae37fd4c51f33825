-- New cuts and decisions get numbers that were never given.
select setval(pg_get_serial_sequence('identity_cut', 'cut_id'), greatest(
        (select max(cut_id) from identity_cut), nextval(pg_get_serial_sequence('identity_cut', 'cut_id')))),
    setval(pg_get_serial_sequence('identity_decision', 'decision_id'), greatest(
        (select max(decision_id) from identity_decision),
        nextval(pg_get_serial_sequence('identity_decision', 'decision_id'))))
