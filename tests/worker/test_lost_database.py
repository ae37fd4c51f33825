"""The database goes away, or its lock does: the worker waits, and goes on by itself."""

from __future__ import annotations

import contextlib
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import psycopg
import pytest

from opportune import pipeline
from opportune.settings import Settings
from opportune.storage import ConcurrentWrite, Stores, load_sql, open_stores

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
NINE, LATE = MIDNIGHT + timedelta(hours=9), MIDNIGHT + timedelta(hours=21)
PROVIDER = "next-best-offer"
Until = Callable[..., None]
Said = Callable[[str], list[dict[str, str]]]


@dataclass
class Proxy:
    """Stands between a client and PostgreSQL, and cuts them off from each other."""

    target: str
    folder: str
    open: bool = True
    pairs: list[tuple[socket.socket, socket.socket]] = field(default_factory=list)

    def serve(self) -> None:
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(f"{self.folder}/.s.PGSQL.5432")
        self.listener.listen(50)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                if not self.open:
                    client.close()
                    continue
                server = socket.socket(socket.AF_UNIX)
                server.connect(self.target)
                self.pairs.append((client, server))
                for source, sink in ((client, server), (server, client)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()

    def cut(self) -> None:
        self.open = False
        for pair in self.pairs:
            for each in pair:
                with contextlib.suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.cut()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError), source, sink:
        while data := source.recv(65_536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def proxied(market: Any, database_url: str) -> Iterator[tuple[Proxy, Any]]:
    """A proxy, and the market as it is seen through it."""
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="op-") as place:
        proxy = Proxy(f"{folder}/.s.PGSQL.5432", place)
        proxy.serve()
        url = parts._replace(query=f"host={quote(place, safe='')}").geturl()
        stores = open_stores(replace(market.stores.settings, database_url=url), now=MIDNIGHT)
        yield proxy, replace(market, stores=stores)
        stores.close()
        proxy.close()


def test_a_lost_database_is_waited_for_while_the_lake_goes_on(
    proxied: tuple[Proxy, Any], market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    proxy, remote = proxied
    market.apply({PROVIDER: sandbox.url})
    market.register(60)
    times = [NINE]
    with remote.working(lambda: times[-1]):
        until(lambda: market.all_sent(due=NINE))
        proxy.cut()
        market.register(5, prefix="later-")
        pipeline.create_tables(market.stores)
        until(
            lambda: "later-c000005" in market.stores.lake.read("events")["message_id"].to_pylist()
        )
        times.append(LATE)
        assert market.count("profile") == 60
        assert not market.all_sent()
        proxy.open = True
        until(market.all_sent)
        until(lambda: market.count("profile") == 65)
    sent = market.count("outbox")
    assert sandbox.sends() == (sent, sent, 1)
    assert {line["code"] for line in said("worker")} == {"database_unavailable"}


def test_a_worker_that_lost_its_lock_unnoticed_takes_it_again(
    market: Any, sandbox: Any, until: Until, said: Said
) -> None:
    market.apply({PROVIDER: sandbox.url}, at_once=True)
    times = [MIDNIGHT]
    with market.working(lambda: times[-1]):
        until(market.is_held)
        (held,) = market.stores.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})
        market.stores.state.rows("select pg_terminate_backend(%(pid)s)", {"pid": held["pid"]})
        until(lambda: len(said("worker")) == 1)
        until(market.is_held)
        market.register(20)
        times.append(LATE)
        until(market.all_sent)
    sent = market.count("outbox")
    assert sandbox.sends() == (sent, sent, 1)


def test_a_worker_that_was_replaced_lets_the_other_one_ingest(
    market: Any, sandbox: Any, settings: Settings, until: Until
) -> None:
    market.apply({PROVIDER: sandbox.url})
    times = [MIDNIGHT]
    with market.working(lambda: times[-1]):
        until(market.is_held)
        (held,) = market.stores.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})
        with psycopg.connect(settings.database_url, autocommit=True) as other:
            # In the queue for the lock, it gets it before the worker can come back.
            threading.Timer(
                0.2, lambda: market.stores.state.rows(f"select pg_terminate_backend({held['pid']})")
            ).start()
            other.execute("select pg_advisory_lock(hashtextextended('worker', 0))")
            until(lambda: _can_ingest(market.stores))
        market.register(20)
        times.append(LATE)
        until(market.all_sent)


def _can_ingest(stores: Stores) -> bool:
    try:
        pipeline.Ingest(stores, {}).close()
    except ConcurrentWrite:
        return False
    return True
