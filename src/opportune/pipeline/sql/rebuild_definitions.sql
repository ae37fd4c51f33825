-- Definitions are not in the log: those of the live State hold.
insert into opportune_rebuild.definition select * from definition on conflict do nothing
