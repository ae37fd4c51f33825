-- Whether something was built beside before.
select to_regclass('opportune_rebuild.rebuild_progress') is not null as found
