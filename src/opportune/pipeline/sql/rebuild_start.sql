-- What it is built from.
insert into rebuild_progress (fingerprint) values (%(fingerprint)s)
