-- One part more is built.
update rebuild_progress set row_groups = %(row_groups)s, events = events + %(events)s
