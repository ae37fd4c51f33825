-- The same transaction may stage another batch.
drop table if exists incoming, document, mention, named, candidate, arrival
