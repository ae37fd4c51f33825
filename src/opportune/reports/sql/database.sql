-- How large the database is, what it runs on, and which migration it has.
select pg_database_size(current_database())::bigint as bytes, current_setting('server_version') as version,
    (select max(number) from migration) as migration
