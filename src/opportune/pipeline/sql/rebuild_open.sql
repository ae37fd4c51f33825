-- The schema in which State is built anew, beside the live one.
create schema if not exists opportune_rebuild
