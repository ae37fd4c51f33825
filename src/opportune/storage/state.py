"""State: PostgreSQL, for whatever must not race or must answer at once."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Protocol

import psycopg
import pyarrow as pa
from psycopg import sql as compose
from psycopg.rows import dict_row
from psycopg_pool import ConnectionPool, PoolTimeout
from pyarrow import csv

from opportune.errors import Unavailable
from opportune.storage.engine import QueryFailed

__all__ = [
    "Asked",
    "Connection",
    "DatabaseUnavailable",
    "Direct",
    "State",
    "fetch",
    "read_table",
    "stage",
]

CONNECT_TIMEOUT_S = 5
# So long until a lock that somebody else has is tried again.
LOOK_S = 0.1
POOL_SIZE = 8
# The longest row that can be read as Arrow: a row must fit into one block.
BLOCK_BYTES = 64 * 1024 * 1024
# Whatever the server's own defaults are, times and texts mean the same here.
SESSION = """
set timezone = 'UTC'; set datestyle = 'ISO, YMD'; set client_encoding = 'UTF8';
set idle_session_timeout = 0;
set random_page_cost = 1.1
"""

ANALYZE = compose.SQL("analyze {}")
# Of a table that was never looked at, reltuples is -1; what holds this little is read at once.
GROWN = """
select relname as name
from pg_class
where relkind = 'r' and relnamespace = to_regnamespace(quote_ident(current_schema()))
    and pg_stat_get_live_tuples(oid) > 2 * greatest(reltuples, 500)
order by name
"""

Row = dict[str, Any]
Connection = psycopg.Connection[Row]


class DatabaseUnavailable(Unavailable):
    """PostgreSQL does not answer. Events are still accepted; everything else waits."""

    code = "database_unavailable"


class Asked(Protocol):
    """What runs one statement as a transaction of its own: `State`, or one connection of it."""

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Return its rows."""
        ...


class State:
    """A pool of connections to one PostgreSQL; `transaction` is the only way to change anything."""

    def __init__(self, url: str, *, schema: str | None = None) -> None:
        """``schema`` is where the tables are, unless where the server looks by itself."""
        settings: dict[str, Any] = {"row_factory": dict_row, "connect_timeout": CONNECT_TIMEOUT_S}
        self._connect = partial(_connect, url, schema=schema, settings=settings)
        self._pool: ConnectionPool[Connection] = ConnectionPool(
            url,
            connection_class=psycopg.Connection[Row],
            min_size=0,
            max_size=POOL_SIZE,
            timeout=CONNECT_TIMEOUT_S,
            # Not the default of five minutes with ever longer pauses: back means back at once.
            reconnect_timeout=CONNECT_TIMEOUT_S,
            open=False,
            configure=partial(_configure, schema=schema),
            check=ConnectionPool.check_connection,
            kwargs=settings,
        )

    def close(self) -> None:
        """Give all connections back."""
        self._pool.close()

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """One transaction: committed at the end of the block, rolled back on an exception.

        Raises ``DatabaseUnavailable``, or ``QueryFailed`` for a statement that is wrong.
        """
        with _told():
            try:
                self._pool.open()
                with self._pool.connection() as connection:
                    yield connection
            except (PoolTimeout, psycopg.OperationalError):
                # A restarted server leaves dead connections behind: none is tried one by one.
                self._pool.drain()
                raise

    @contextmanager
    def direct(self) -> Iterator[Direct]:
        """A connection of its own for the block, for one thread that asks a thousand times."""
        direct = Direct(self._connect)
        try:
            yield direct
        finally:
            direct.close()

    @contextmanager
    def lock(self, name: str, *, wait_s: float = 0.0) -> Iterator[bool]:
        """Try to take the lock ``name`` for the block; False when another process holds it.

        It is tried again for about ``wait_s`` seconds.
        A process that dies loses it at once, because it belongs to the connection.
        """
        with self.transaction() as connection:
            taken = _try_lock(connection, name)
            for _ in range(round(wait_s / LOOK_S)):
                if taken:
                    break
                time.sleep(LOOK_S)
                taken = _try_lock(connection, name)
            try:
                yield taken
            finally:
                if taken and not connection.closed:
                    fetch(
                        connection,
                        "select pg_advisory_unlock(hashtextextended(%(name)s, 0))",
                        {"name": name},
                    )

    def rows(
        self, sql: str, parameters: Mapping[str, object] | None = None, *, binary: bool = False
    ) -> list[Row]:
        """Run one statement in a transaction of its own; return its rows, none if it has none.

        ``binary``: as the server holds them; megabytes of ``bytea`` come in a third of the time.
        """
        with self.transaction() as connection:
            return fetch(connection, sql, parameters, binary=binary)

    def table(
        self, sql: str, schema: pa.Schema, parameters: Mapping[str, object] | None = None
    ) -> pa.Table:
        """Run a ``select`` and return its rows as Arrow: for millions of rows, without a loop.

        Columns must come in the order of ``schema``; only scalars (times as epoch integers).
        """
        with self.transaction() as connection:
            return read_table(connection, sql, schema, parameters)

    def analyze_grown(self) -> int:
        """Gather statistics of every table that has outgrown them; return of how many.

        A table that was filled at once is taken for a small one until the server gets round to it,
        which may be a minute later. Statements that were prepared before are planned anew.
        """
        names: list[str] = [row["name"] for row in self.rows(GROWN)]
        for name in names:
            with self.transaction() as connection:
                connection.execute(ANALYZE.format(compose.Identifier(name)))
        return len(names)


class Direct:
    """One connection that stays: each statement is a transaction of its own, and nothing else.

    To borrow a connection, look whether it lives, begin and commit takes three times as long as a
    small statement. Only for statements that may be run twice: one that the server never answered,
    because it was restarted meanwhile, is run again on a new connection. Not for several threads.
    """

    def __init__(self, connect: Callable[[], Connection]) -> None:
        self._connect = connect
        self._connection: Connection | None = None

    def rows(self, sql: str, parameters: Mapping[str, object] | None = None) -> list[Row]:
        """Run one statement; return its rows, none if it has none.

        Raises ``DatabaseUnavailable``, or ``QueryFailed`` for a statement that is wrong.
        """
        with _told():
            if self._connection is not None:
                try:
                    return fetch(self._connection, sql, parameters)
                except psycopg.OperationalError:
                    self.close()
            self._connection = self._connect()
            return fetch(self._connection, sql, parameters)

    def close(self) -> None:
        """Give the connection back; the next statement opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _try_lock(connection: Connection, name: str) -> bool:
    asked = "select pg_try_advisory_lock(hashtextextended(%(name)s, 0)) as taken"
    taken: bool = fetch(connection, asked, {"name": name})[0]["taken"]
    # The session holds the lock, not the transaction: an open one would hold up vacuum.
    connection.commit()
    return taken


def fetch(
    connection: Connection,
    sql: str,
    parameters: Mapping[str, object] | None = None,
    *,
    binary: bool = False,
) -> list[Row]:
    """Like `State.rows`, on an open transaction."""
    cursor = connection.execute(sql, parameters, binary=binary)
    return cursor.fetchall() if cursor.description else []


def read_table(
    connection: Connection,
    sql: str,
    schema: pa.Schema,
    parameters: Mapping[str, object] | None = None,
) -> pa.Table:
    """Like `State.table`, on an open transaction."""
    # On lines of its own: the query may end in a comment.
    statement = f"copy (\n{sql.strip().rstrip(';')}\n) to stdout (format csv)"
    buffer = io.BytesIO()
    with (
        psycopg.ClientCursor(connection) as cursor,
        cursor.copy(statement, parameters) as stream,
    ):
        for block in stream:
            buffer.write(block)
    if not buffer.tell():
        return schema.empty_table()
    buffer.seek(0)
    return csv.read_csv(
        buffer,
        read_options=csv.ReadOptions(column_names=schema.names, block_size=BLOCK_BYTES),
        # In a table of one column, an empty line is a null.
        parse_options=csv.ParseOptions(newlines_in_values=True, ignore_empty_lines=False),
        convert_options=csv.ConvertOptions(
            column_types=schema,
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )


def stage(connection: Connection, name: str, columns: Sequence[str], data: pa.Table) -> None:
    """Copy ``data`` into a temporary table ``name`` that lives as long as the transaction.

    ``columns`` are PostgreSQL column definitions, such as ``"profile_id bigint"``, the columns of
    ``data`` among them by name; they are written in code, never taken from input.
    """
    definition = compose.SQL(", ".join(columns))
    connection.execute(
        compose.SQL("create temporary table {} ({}) on commit drop").format(
            compose.Identifier(name), definition
        )
    )
    buffer = io.BytesIO()
    # Of a table with an empty chunk before others, pyarrow writes bytes that are none of its own.
    whole = data.combine_chunks()
    csv.write_csv(whole, buffer, csv.WriteOptions(include_header=False))
    statement = compose.SQL("copy {} ({}) from stdin (format csv)").format(
        compose.Identifier(name),
        compose.SQL(", ").join(compose.Identifier(column) for column in data.column_names),
    )
    with connection.cursor() as cursor, cursor.copy(statement) as stream:
        stream.write(buffer.getbuffer())
    connection.execute(ANALYZE.format(compose.Identifier(name)))


@contextmanager
def _told() -> Iterator[None]:
    """Say in our own words what PostgreSQL or its client says of an error."""
    try:
        yield
        return
    except (PoolTimeout, psycopg.OperationalError) as cause:
        raise DatabaseUnavailable(
            f"PostgreSQL does not answer ({type(cause).__name__}). Check the server, or "
            "OPPORTUNE_DATABASE_URL; events are still accepted, and the same command finishes "
            "the work later."
        ) from cause
    except psycopg.Error as cause:
        failure = QueryFailed(f"A statement failed: {_said(cause)}")
    # Its error quotes rows, and would be printed with this one.
    raise failure from None


def _connect(url: str, *, schema: str | None, settings: Mapping[str, Any]) -> Connection:
    connection = psycopg.Connection[Row].connect(url, **settings)
    _configure(connection, schema=schema)
    connection.autocommit = True
    return connection


def _configure(connection: Connection, *, schema: str | None) -> None:
    connection.execute(SESSION)
    if schema is not None:
        path = compose.SQL("set search_path = {}").format(compose.Identifier(schema))
        connection.execute(path)
    connection.commit()


def _said(cause: psycopg.Error) -> str:
    """What the server said of the statement, without the rows and values that it quotes."""
    told = cause.diag
    named = [part for part in (told.table_name, told.column_name, told.constraint_name) if part]
    # Class 42 is about names and types in the statement itself.
    message = told.message_primary if (cause.sqlstate or "").startswith("42") else None
    if cause.sqlstate is None and isinstance(cause, psycopg.ProgrammingError):
        # Said by the client of parameters that are missing or of an unknown type.
        message = str(cause)
    return ", ".join([type(cause).__name__, *named, *([message] if message else [])])
