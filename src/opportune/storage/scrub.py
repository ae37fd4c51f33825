"""Have PostgreSQL drop what was deleted: dead rows, statistics, and its own log of changes."""

from __future__ import annotations

from psycopg import sql as compose

from opportune.storage.state import Connection, State, fetch

__all__ = ["scrub"]

TABLES = """
select schemaname, tablename from pg_tables
where schemaname = current_schema()
order by tablename
"""
# Segments of its log that are kept for later still hold what was in them.
AHEAD = """
select count(*)::int as count from pg_ls_waldir() where name > pg_walfile_name(pg_current_wal_lsn())
"""
NEXT = "select pg_logical_emit_message(false, 'opportune', ''), pg_switch_wal()"


def scrub(state: State, *, own_server: bool) -> None:
    """Give back what deleted rows took.

    On a server of our own (``own_server``) every table is written anew and the log of changes is
    emptied, so that no file holds what was deleted; other sessions wait while a table is written.
    On any other server rows are freed and statistics made anew; its log and its backups are its
    administrator's.
    """
    how = "full, analyze" if own_server else "analyze"
    with state.transaction() as connection:
        tables = fetch(connection, TABLES)
        connection.commit()
        connection.autocommit = True
        try:
            for table in tables:
                name = compose.Identifier(table["schemaname"], table["tablename"])
                connection.execute(compose.SQL("vacuum ({}) {}").format(compose.SQL(how), name))
            if own_server:
                connection.execute("vacuum full pg_statistic")
                _empty_log(connection)
        finally:
            connection.autocommit = False


def _empty_log(connection: Connection) -> None:
    connection.execute("alter system set wal_recycle = off")
    connection.execute("select pg_reload_conf()")
    try:
        for _ in range(fetch(connection, AHEAD)[0]["count"] + 1):
            connection.execute(NEXT)
        connection.execute("checkpoint")
        connection.execute(NEXT)
        connection.execute("checkpoint")
    finally:
        connection.execute("alter system reset wal_recycle")
        connection.execute("select pg_reload_conf()")
