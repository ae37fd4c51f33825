-- From now on the segment follows every event; no row: it is filled, or was defined anew.
update live_segment set filled_at = %(now)s
where segment = %(segment)s and version = %(version)s and filled_at is null
returning segment
