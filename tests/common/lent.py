"""Databases that are lent to one test after another, each time as new.

To make a database and drop it takes longer than most tests.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

# What a database is made of; where a test changed that, the database is not lent again.
MADE_OF = """
with namespace as (
    select oid from pg_namespace where nspname !~ '^(pg_|information_schema$)'
),
part as (
    select concat_ws(' ', 'namespace', count(*)) as said from namespace
    union all
    select concat_ws(' ', 'class', c.oid, c.relname, c.relkind, c.relpersistence, c.reloptions)
    from pg_class c join namespace n on n.oid = c.relnamespace
    union all
    select concat_ws(
        ' ', 'attribute', a.attrelid, a.attname, a.atttypid, a.attnotnull, a.attstorage,
        a.attisdropped, a.attgenerated, a.attidentity, a.atthasdef
    )
    from pg_attribute a join pg_class c on c.oid = a.attrelid
    join namespace n on n.oid = c.relnamespace
    union all
    select concat_ws(' ', 'constraint', o.oid, o.xmin)
    from pg_constraint o join namespace n on n.oid = o.connamespace
    union all
    select concat_ws(' ', 'function', p.oid, p.xmin)
    from pg_proc p join namespace n on n.oid = p.pronamespace
    union all
    select concat_ws(' ', 'trigger', oid, xmin) from pg_trigger
    union all
    select concat_ws(' ', 'setting', setrole, setconfig)
    from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
    where d.datname = current_database()
    union all
    select concat_ws(' ', 'migration', m) from migration m
)
select md5(string_agg(said, '\n' order by said collate "C")) from part
"""
OTHERS = """
select pg_terminate_backend(pid, 5000) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid()
"""
# Those with rows, and those that had some.
FILLED = """
select string_agg(oid::regclass::text, ', ') from pg_class
where relkind = 'r' and relnamespace = 'public'::regnamespace and relname <> 'migration'
    and pg_relation_size(oid) > 0
"""
FROM_THE_START = """
select setval(seqrelid::regclass, seqstart, false) from pg_sequence
"""


class Lent:
    """The databases of a server that are copies of one template; ``at`` gives their addresses."""

    def __init__(self, server_url: str, template: str, at: Callable[[str], str]) -> None:
        self._server_url = server_url
        self._template = template
        self._at = at
        self._idle: list[str] = []
        self._made_of: dict[str, str] = {}

    @contextmanager
    def one(self, *, has_failed: Callable[[], bool]) -> Iterator[str]:
        """Lend the address of a database that is as new; once only, if then ``has_failed``.

        Of a test that failed, a process may be left that goes on writing.
        """
        name = self._idle.pop() if self._idle else self._make()
        try:
            yield self._at(name)
        finally:
            if not has_failed() and self._is_as_new(name):
                self._idle.append(name)
            else:
                del self._made_of[name]
                self._on_server(f"drop database {name} with (force)")

    def _make(self) -> str:
        name = f"lent_{uuid.uuid4().hex}"
        self._on_server(f"create database {name} template {self._template}")
        with psycopg.connect(self._at(name), autocommit=True) as connection:
            self._made_of[name] = _made_of(connection)
        return name

    def _is_as_new(self, name: str) -> bool:
        """Take away what a test left; False where it changed what the database is made of."""
        with psycopg.connect(self._at(name), autocommit=True) as connection:
            connection.execute(OTHERS)
            if _made_of(connection) != self._made_of[name]:
                return False
            ((filled,),) = connection.execute(FILLED)
            if filled:
                connection.execute(f"truncate {filled} cascade")
            connection.execute(FROM_THE_START)
            # Who asks which tables have grown looks there.
            connection.execute("select pg_stat_reset()")
        return True

    def _on_server(self, statement: str) -> None:
        with psycopg.connect(self._server_url, autocommit=True) as connection:
            connection.execute(statement)


def _made_of(connection: psycopg.Connection) -> str:
    ((digest,),) = connection.execute(MADE_OF)
    return str(digest)
