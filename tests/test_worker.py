"""The worker does what is due, whoever is in trouble; killed, it is taken over at once."""

from __future__ import annotations

import contextlib
import http.client
import json
import logging
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import msgspec
import psycopg
import pytest
import uvicorn

from opportune import activation, pipeline, project, worker
from opportune.sandbox import SandboxConfig, create_app
from opportune.settings import PREFIX, Settings, as_variables
from opportune.simulate import internet_provider
from opportune.storage import ConcurrentWrite, Frame, SegmentLog, Stores, load_sql, open_stores

KEY = "test-key"
DAY = date(2026, 3, 1)
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
SIX, NINE, LATE = (MIDNIGHT + timedelta(hours=hour) for hour in (6, 9, 21))
HOURS = (9, 13, 18, 20)
PROVIDER = "next-best-offer"


# --- the sandbox, a market, a worker -------------------------------------------------------------


@dataclass(frozen=True)
class Sandbox:
    port: int
    journal: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: object = None) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, f"/_sandbox/{path}", json.dumps(body))
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()

    def tell_time(self, now: datetime) -> None:
        self.ask("POST", "clock", {"now": now.isoformat()})

    def faults(self, *names: str) -> None:
        self.ask("POST", "faults", {"faults": list(names)})

    def sends(self) -> tuple[int, int]:
        """Messages, and the most that one customer got in a day."""
        counted = self.ask("GET", "sends")
        return counted["sends"], counted["most_per_customer_and_day"]

    def messages(self) -> Counter[tuple[str, str, str]]:
        """How often each (day, user, message) was accepted, from the journal."""
        calls = [json.loads(line) for line in self.journal.read_text().splitlines()]
        return Counter(
            (call["at"][:10], each["external_user_id"], json.dumps(each["trigger_properties"]))
            for call in calls
            for each in call["messages"]
        )


@contextmanager
def serving(journal: Path, *, customers: int) -> Iterator[Sandbox]:
    config = SandboxConfig(
        api_key=KEY, customers=customers, seed=1, start=DAY, silence_s=5, journal=journal
    )
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), log_level="critical", timeout_graceful_shutdown=1)
    )
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        until(lambda: server.started)
        yield Sandbox(listener.getsockname()[1], journal)
        server.should_exit = True
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Sandbox]:
    with serving(tmp_path / "journal.jsonl", customers=100) as started:
        started.tell_time(LATE)
        yield started


def until(done: Callable[[], bool], *, within_s: float = 30.0) -> None:
    ends = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < ends, "it does not get done"
        time.sleep(0.01)


def apply(stores: Stores, folder: Path, addresses: dict[str, str]) -> None:
    """Define a use case a name, each sending to its own address."""
    with resources.as_file(resources.files("opportune.cli").joinpath("provider")) as shipped:
        shutil.copytree(shipped, folder)
    template = folder / "use_cases" / f"{PROVIDER}.toml"
    text = template.read_text()
    template.unlink()
    for name, address in addresses.items():
        file = folder / "use_cases" / f"{name}.toml"
        file.write_text(text.replace("http://127.0.0.1:8421", address))
    project.apply(stores.state, folder, now=MIDNIGHT)


def register(stores: Stores, customers: int, *, prefix: str = "") -> None:
    rows = internet_provider(customers=customers, seed=1).traits.to_pylist()
    messages = [
        {
            "type": "identify",
            "messageId": f"{prefix}{row['user_id']}",
            "userId": prefix + row.pop("user_id"),
            "timestamp": (MIDNIGHT - timedelta(days=1)).isoformat(),
            "traits": row,
        }
        for row in rows
    ]
    log = SegmentLog(stores.settings.log_folder)
    frame = Frame(
        received_at_us=int(MIDNIGHT.timestamp() * 1_000_000),
        source_id="shop",
        kind="batch",
        body=msgspec.json.encode({"batch": messages}),
    )
    log.append(frame).result()
    log.close()


def count(stores: Stores, table: str, condition: str = "true") -> int:
    rows = stores.state.rows(f"select count(*)::int as n from {table} where {condition}")  # noqa: S608
    number: int = rows[0]["n"]
    return number


def outbox(stores: Stores, use_case: str = PROVIDER) -> dict[str, int]:
    rows = stores.state.rows(
        "select state, count(*)::int as n from outbox where use_case = %(name)s group by state",
        {"name": use_case},
    )
    return {row["state"]: row["n"] for row in rows}


def all_sent(stores: Stores, use_case: str = PROVIDER, *, due: datetime = LATE) -> bool:
    """Whether the day was decided and everything of it that is due was sent."""
    open_ones = stores.state.rows(
        "select count(*) filter (where state <> 'sent' and due_at <= %(due)s)::int as n,"
        " count(*)::int as added from outbox where use_case = %(name)s",
        {"name": use_case, "due": due},
    )[0]
    return bool(open_ones["added"]) and open_ones["n"] == 0


@pytest.fixture
def configured(stores: Stores) -> Stores:
    """Stores whose worker has a key and does not wait long."""
    return replace(stores, settings=replace(stores.settings, braze_api_key=KEY, braze_settle_s=0.1))


@contextmanager
def working(stores: Stores, clock: worker.Clock = lambda: LATE) -> Iterator[threading.Event]:
    stop = threading.Event()
    trouble: list[BaseException] = []

    def work() -> None:
        try:
            worker.run(stores, clock=clock, stop=stop, tick_s=0.01)
        except BaseException as error:
            trouble.append(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield stop
    finally:
        stop.set()
        thread.join(timeout=30)
        assert not thread.is_alive()
    assert trouble == []


def lines(caplog: pytest.LogCaptureFixture, part: str) -> list[dict[str, str]]:
    """What was said of a part, as lines."""
    said = [record.getMessage() for record in caplog.records if record.name == "opportune"]
    read = [json.loads(text) for text in said if text.startswith("{")]
    return [line for line in read if line["step"] == part]


# --- the plain way -------------------------------------------------------------------------------


def test_the_worker_takes_in_decides_and_sends(
    configured: Stores, sandbox: Sandbox, tmp_path: Path
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 100)
    times = [MIDNIGHT]
    with working(configured, lambda: times[-1]):
        until(lambda: count(configured, "profile") == 100)
        assert count(configured, "job") == 0, "the day is decided from six on"
        times.append(SIX)
        until(lambda: count(configured, "job", "done_at is not null") == 1)
        assert sandbox.sends() == (0, 0)
        times.append(NINE)
        until(lambda: all_sent(configured, due=NINE))
        by_nine = sandbox.sends()[0]
        assert 0 < by_nine == outbox(configured)["sent"]
        times.append(LATE)
        until(lambda: outbox(configured).keys() == {"sent"})
        until(lambda: pipeline.caught_up(configured))
    treated = count(configured, "outbox")
    assert sandbox.sends() == (treated, 1)
    sent = configured.lake.read("events", ["event"])["event"].to_pylist()
    assert sent.count("Message Sent") == treated


def test_a_day_that_is_done_is_not_decided_again(
    configured: Stores, sandbox: Sandbox, tmp_path: Path
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    for _ in range(2):
        with working(configured):
            until(lambda: all_sent(configured))
    assert count(configured, "job") == count(configured, "job", "attempts = 1") == 1
    assert sandbox.sends() == (count(configured, "outbox"), 1)


def test_the_simulated_clock_stands_where_it_was_set(stores: Stores) -> None:
    clock = worker.simulated_clock(stores)
    assert clock() == datetime(1970, 1, 1, tzinfo=UTC)
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": SIX})
    assert clock() == SIX
    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": NINE})
    assert clock() == NINE


def test_a_second_worker_waits_and_goes_on_when_the_first_ends(
    configured: Stores, sandbox: Sandbox, tmp_path: Path
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    with working(configured, lambda: MIDNIGHT) as first:
        until(lambda: _is_held(configured))
        with working(configured):
            register(configured, 20)
            until(lambda: count(configured, "profile") == 20)
            time.sleep(0.2)
            assert count(configured, "job") == 0
            first.set()
            until(lambda: all_sent(configured))


def _is_held(stores: Stores) -> bool:
    return len(stores.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})) == 1


# --- what a dead worker leaves -------------------------------------------------------------------


def test_a_dead_worker_s_job_and_rows_are_taken_over_at_once(
    configured: Stores, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Also when another job, one that failed and waits, would come first."""
    nowhere = {"a-first": "http://127.0.0.1:1", PROVIDER: sandbox.url}
    apply(configured, tmp_path / "project", nowhere)
    register(configured, 20)
    for name, error in (("a-first", "failed"), (PROVIDER, None)):
        configured.state.rows(
            load_sql("opportune", "schedule_job"),
            {
                "kind": "decide_day",
                "key": f"{name}:{DAY}",
                "payload": json.dumps({"use_case": name, "day": str(DAY)}),
                "due_at": SIX,
            },
        )
        configured.state.rows(
            "update job set attempts = 1, leased_until = clock_timestamp() + interval '1 h',"
            " error = %(error)s where key = %(key)s",
            {"error": error, "key": f"{name}:{DAY}"},
        )
    with working(configured):
        until(lambda: all_sent(configured), within_s=15)
        until(lambda: count(configured, "job", "done_at is not null") == 2)


def test_a_job_that_kills_its_worker_is_taken_over_later_and_later(stores: Stores) -> None:
    waits = []
    for attempts in (0, 1, 2, 3, 5, 13, 40):
        stores.state.rows(
            "insert into job (kind, key, payload, due_at, attempts, leased_until)"
            " values ('k', %(key)s, '{}', %(now)s, %(attempts)s, 'infinity')",
            {"key": f"{attempts:02}", "now": SIX, "attempts": attempts},
        )
    stores.state.rows(load_sql("opportune", "release_jobs"), {"longest_s": 3600.0})
    for row in stores.state.rows(
        "select round(extract(epoch from least(leased_until, clock_timestamp() + interval '1 day')"
        " - clock_timestamp()))::int as wait_s from job order by key"
    ):
        waits.append(row["wait_s"])
    assert waits == [86400, 0, 1, 3, 15, 3600, 3600]


def test_a_job_is_claimed_once_and_comes_back_when_its_lease_ends(stores: Stores) -> None:
    facts = {"kind": "k", "key": "a", "payload": "{}", "due_at": SIX}
    for _ in range(2):
        stores.state.rows(load_sql("opportune", "schedule_job"), facts)
    assert count(stores, "job") == 1

    def claim(now: datetime) -> list[int]:
        rows = stores.state.rows(load_sql("opportune", "claim_job"), {"now": now, "lease_s": 60.0})
        return [row["attempts"] for row in rows]

    assert claim(SIX - timedelta(seconds=1)) == []
    assert claim(SIX) == [1]
    assert claim(SIX) == []
    stores.state.rows("update job set leased_until = clock_timestamp() - interval '1 s'")
    assert claim(SIX) == [2]
    done = {"kind": "k", "key": "a", "done_at": NINE, "error": None, "wait_s": 0.0}
    stores.state.rows(load_sql("opportune", "finish_job"), done)
    assert claim(LATE) == []


def test_positions_of_the_log_never_go_back(stores: Stores) -> None:
    set_sql, get_sql = (
        load_sql("opportune", name) for name in ("set_log_positions", "log_positions")
    )
    for files, offsets in ((["a", "b"], [10, 20]), (["a", "b"], [5, 30])):
        stores.state.rows(set_sql, {"files": files, "offsets": offsets})
    assert stores.state.rows(get_sql, {"files": ["b", "a", "c"]}) == [
        {"segment_file": "a", "byte_offset": 10},
        {"segment_file": "b", "byte_offset": 30},
    ]


# --- trouble of one is not the others' -----------------------------------------------------------


def test_without_a_key_nothing_is_reserved_and_it_is_said_once(
    stores: Stores, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apply(stores, tmp_path / "project", {PROVIDER: sandbox.url})
    register(stores, 20)
    with working(stores):
        until(lambda: count(stores, "outbox") > 0)
        until(lambda: len(lines(caplog, f"channel:{PROVIDER}")) > 0)
        time.sleep(1.5)
    assert outbox(stores).keys() == {"pending"}
    assert count(stores, "outbox", "attempts > 0") == 0
    (line,) = lines(caplog, f"channel:{PROVIDER}")
    assert line["code"] == "invalid_api_key"
    assert "OPPORTUNE_BRAZE_API_KEY" in line["message"]
    assert {record.levelno for record in caplog.records if record.name == "opportune"} <= {
        logging.INFO,
        logging.WARNING,
    }


def test_a_receiver_that_does_not_answer_stops_neither_the_others_nor_the_ingest(
    configured: Stores, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        down = f"http://127.0.0.1:{nobody.getsockname()[1]}"
        apply(configured, tmp_path / "project", {"a-down": down, PROVIDER: sandbox.url})
        register(configured, 60)
        with working(configured):
            until(lambda: all_sent(configured))
            register(configured, 3, prefix="later-")
            until(lambda: count(configured, "profile") == 63)
    assert outbox(configured, "a-down").keys() == {"pending"}
    (line,) = lines(caplog, "send:a-down")
    assert line["code"] == "unanswered"
    assert sandbox.sends() == (count(configured, "outbox", "state = 'sent'"), 1)


def test_a_repaired_address_is_used_without_a_restart(
    configured: Stores, sandbox: Sandbox, tmp_path: Path
) -> None:
    apply(configured, tmp_path / "one", {PROVIDER: "http://127.0.0.1:1"})
    register(configured, 20)
    with working(configured):
        until(lambda: count(configured, "outbox", "attempts > 0") > 0)
        apply(configured, tmp_path / "two", {PROVIDER: sandbox.url})
        until(lambda: all_sent(configured))
    assert sandbox.sends() == (count(configured, "outbox"), 1)


@pytest.mark.parametrize("defect", [False, True])
def test_a_day_that_cannot_be_decided_is_kept_with_its_reason_and_tried_again(
    configured: Stores,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    *,
    defect: bool,
) -> None:
    apply(configured, tmp_path / "project", {"a-broken": sandbox.url, PROVIDER: sandbox.url})
    register(configured, 20)
    run_day, repaired = pipeline.run_day, threading.Event()

    def broken(stores: Stores, known: project.Project, name: str, day: date, **given: Any) -> Any:
        if name == "a-broken" and not repaired.is_set():
            raise ZeroDivisionError if defect else project.ProjectNotFound("no such thing")
        return run_day(stores, known, name, day, **given)

    monkeypatch.setattr(pipeline, "run_day", broken)
    with working(configured):
        until(lambda: all_sent(configured))
        until(lambda: count(configured, "job", "error is not null and attempts > 1") == 1)
        (job,) = configured.state.rows("select error from job where error is not null")
        repaired.set()
        until(lambda: all_sent(configured, "a-broken"))
    assert count(configured, "job", "done_at is not null and error is null") == 2
    (line,) = lines(caplog, "decide:a-broken")
    told = [record for record in caplog.records if record.exc_info]
    if defect:
        assert (line["code"], job["error"]) == ("defect", "A defect: ZeroDivisionError.")
        assert [record.levelno for record in told] == [logging.ERROR]
    else:
        assert (line["code"], job["error"]) == ("project_not_found", "no such thing")
        assert told == []


def test_a_defect_in_one_part_is_told_once_and_the_others_go_on(
    configured: Stores,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    enquire, calls = activation.enquire, 0

    def defective(*given: Any, **named: Any) -> Counter[str]:
        nonlocal calls
        calls += 1
        if calls < 4:
            raise ZeroDivisionError("a customer's address")
        return enquire(*given, **named)

    monkeypatch.setattr(activation, "enquire", defective)
    sandbox.faults("500_after")
    with working(configured):
        until(lambda: all_sent(configured))
    (line,) = lines(caplog, f"enquire:{PROVIDER}")
    assert line == {
        "step": f"enquire:{PROVIDER}",
        "code": "defect",
        "message": "A defect: ZeroDivisionError.",
    }
    assert len([record for record in caplog.records if record.exc_info]) == 1
    assert sandbox.sends() == (count(configured, "outbox"), 1)


def test_trouble_of_the_ingest_does_not_hold_up_what_is_due(
    configured: Stores,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    times = [SIX]
    with working(configured, lambda: times[-1]):
        until(lambda: count(configured, "job", "done_at is not null") == 1)
        monkeypatch.setattr(pipeline.Ingest, "tick", _break)
        times.append(LATE)
        until(lambda: all_sent(configured))
        until(lambda: len(lines(caplog, "ingest")) == 1)


def _break(_: object) -> int:
    raise RuntimeError


def test_a_definition_that_cannot_be_read_leaves_the_last_good_ones(
    configured: Stores, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    times = [SIX]
    with working(configured, lambda: times[-1]):
        until(lambda: count(configured, "job", "done_at is not null") == 1)
        configured.state.rows(
            "insert into definition (kind, name, version, body, created_at)"
            " values ('use_case', 'bad', 1, '{}', now())"
        )
        until(lambda: len(lines(caplog, "definitions")) == 1)
        times.append(LATE)
        until(lambda: all_sent(configured))


def test_a_defect_outside_of_all_parts_ends_in_another_round(
    configured: Stores,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    calls = 0

    def clock() -> datetime:
        nonlocal calls
        calls += 1
        if calls == 1:
            raise ZeroDivisionError
        return LATE

    with working(configured, clock):
        until(lambda: all_sent(configured))
    assert [line["code"] for line in lines(caplog, "worker")] == ["defect"]


def test_a_lake_that_cannot_be_made_is_waited_for(
    configured: Stores, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    register(configured, 20)
    lake = configured.settings.lake_folder
    lake.touch()
    with working(configured):
        until(lambda: len(lines(caplog, "worker")) == 1)
        lake.unlink()
        until(lambda: all_sent(configured))


# --- the database goes away ----------------------------------------------------------------------


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
def proxied(settings: Settings, database_url: str) -> Iterator[tuple[Proxy, Stores]]:
    parts = urlsplit(database_url)
    folder = parse_qs(parts.query)["host"][0]
    with tempfile.TemporaryDirectory(prefix="op-") as place:
        proxy = Proxy(f"{folder}/.s.PGSQL.5432", place)
        proxy.serve()
        url = parts._replace(query=f"host={quote(place, safe='')}").geturl()
        chosen = replace(settings, database_url=url, braze_api_key=KEY, braze_settle_s=0.1)
        stores = open_stores(chosen, now=MIDNIGHT)
        yield proxy, stores
        stores.close()
        proxy.close()


def test_a_lost_database_is_waited_for_while_the_lake_goes_on(
    proxied: tuple[Proxy, Stores],
    stores: Stores,
    sandbox: Sandbox,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    proxy, remote = proxied
    apply(stores, tmp_path / "project", {PROVIDER: sandbox.url})
    register(stores, 60)
    times = [NINE]
    with working(remote, lambda: times[-1]):
        until(lambda: all_sent(stores, due=NINE))
        proxy.cut()
        register(stores, 5, prefix="later-")
        pipeline.create_tables(stores)
        until(lambda: "later-c000005" in stores.lake.read("events")["message_id"].to_pylist())
        times.append(LATE)
        assert count(stores, "profile") == 60
        assert not all_sent(stores)
        proxy.open = True
        until(lambda: all_sent(stores))
        until(lambda: count(stores, "profile") == 65)
    assert sandbox.sends() == (count(stores, "outbox"), 1)
    assert {line["code"] for line in lines(caplog, "worker")} == {"database_unavailable"}


def test_a_worker_that_lost_its_lock_unnoticed_takes_it_again(
    configured: Stores, sandbox: Sandbox, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    times = [MIDNIGHT]
    with working(configured, lambda: times[-1]):
        until(lambda: _is_held(configured))
        (held,) = configured.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})
        configured.state.rows("select pg_terminate_backend(%(pid)s)", {"pid": held["pid"]})
        until(lambda: len(lines(caplog, "worker")) == 1)
        until(lambda: _is_held(configured))
        register(configured, 20)
        times.append(LATE)
        until(lambda: all_sent(configured))
    assert sandbox.sends() == (count(configured, "outbox"), 1)


def test_a_worker_that_was_replaced_lets_the_other_one_ingest(
    configured: Stores, sandbox: Sandbox, tmp_path: Path, settings: Settings
) -> None:
    apply(configured, tmp_path / "project", {PROVIDER: sandbox.url})
    times = [MIDNIGHT]
    with working(configured, lambda: times[-1]):
        until(lambda: _is_held(configured))
        (held,) = configured.state.rows(load_sql("opportune", "worker_lock"), {"name": "worker"})
        with psycopg.connect(settings.database_url, autocommit=True) as other:
            # In the queue for the lock, it gets it before the worker can come back.
            threading.Timer(
                0.2, lambda: configured.state.rows(f"select pg_terminate_backend({held['pid']})")
            ).start()
            other.execute("select pg_advisory_lock(hashtextextended('worker', 0))")
            until(lambda: _can_ingest(configured))
        register(configured, 20)
        times.append(LATE)
        until(lambda: all_sent(configured))


def _can_ingest(stores: Stores) -> bool:
    try:
        pipeline.Ingest(stores, {}).close()
    except ConcurrentWrite:
        return False
    return True


# --- kill -9 -------------------------------------------------------------------------------------


@dataclass
class Process:
    """A worker of its own, that is started again when it was killed."""

    stores: Stores
    running: subprocess.Popen[bytes] | None = None
    kills: int = 0

    def start(self) -> None:
        inherited = {name: text for name, text in os.environ.items() if not name.startswith(PREFIX)}
        self.running = subprocess.Popen(
            [sys.executable, "-m", "opportune", "worker", "--simulated-clock", "--tick-s", "0.01"],
            env={**inherited, **as_variables(self.stores.settings)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        assert self.running is not None
        self.running.send_signal(signal.SIGKILL)
        self.running.wait()
        self.kills += 1
        self.start()

    def end(self) -> None:
        assert self.running is not None
        self.running.terminate()
        assert self.running.wait(timeout=20) == 0


def play(
    stores: Stores, folder: Path, *, days: int, moments: Iterator[float]
) -> tuple[Counter[tuple[str, str, str]], int]:
    """Live through the days with a worker that is killed after each of ``moments`` (seconds)."""
    with serving(folder / "journal.jsonl", customers=300) as sandbox:
        apply(stores, folder / "project", {PROVIDER: sandbox.url})
        register(stores, 300)
        process = Process(stores)
        process.start()
        next_kill = time.monotonic() + next(moments, 1e9)
        try:
            for day in range(days):
                for hour in (6, *HOURS):
                    now = MIDNIGHT + timedelta(days=day, hours=hour)
                    sandbox.tell_time(now)
                    stores.state.rows(load_sql("opportune", "set_simulated_now"), {"now": now})
                    ends = time.monotonic() + 60
                    while not _is_done(stores, day, now):
                        assert time.monotonic() < ends, outbox(stores)
                        if time.monotonic() >= next_kill:
                            process.kill()
                            next_kill = time.monotonic() + next(moments, 1e9)
                        time.sleep(0.005)
            until(lambda: pipeline.caught_up(stores))
        finally:
            process.end()
        return sandbox.messages(), process.kills


def _is_done(stores: Stores, day: int, now: datetime) -> bool:
    decided = count(stores, "job", "done_at is not null") == day + 1
    still_open = stores.state.rows(
        "select count(*)::int as n from outbox where state not in ('sent', 'failed')"
        " and due_at <= %(now)s",
        {"now": now},
    )
    return decided and still_open[0]["n"] == 0


@pytest.mark.timeout(100)
def test_a_worker_killed_again_and_again_sends_what_an_undisturbed_one_sends(
    stores: Stores, database_url: str, server_url: str, tmp_path: Path
) -> None:
    chance = random.Random(7)
    moments = (chance.uniform(1.2, 2.6) for _ in range(6))
    runs = []
    for name, kills in (("calm", iter(())), ("killed", moments)):
        folder = tmp_path / name
        folder.mkdir()
        with _fresh_database(server_url, name) as url:
            chosen = Settings(
                data_folder=folder / "data",
                database_url=url,
                braze_api_key=KEY,
                braze_settle_s=0.3,
            )
            own = open_stores(chosen, now=MIDNIGHT)
            messages, killed = play(own, folder, days=3, moments=iter(kills))
            came_back = Counter(
                event
                for event in own.lake.read("events", ["event"])["event"].to_pylist()
                if event is not None
            )
            own.close()
        runs.append((messages, dict(came_back), killed))
    calm, killed_run = runs
    assert killed_run[2] >= 3
    assert calm[2] == 0
    assert set(killed_run[0].values()) == {1}, "somebody got a message twice"
    assert killed_run[0] == calm[0]
    assert killed_run[1] == calm[1] == {"Message Sent": len(calm[0])}
    assert len(calm[0]) > 700


@contextmanager
def _fresh_database(server_url: str, name: str) -> Iterator[str]:
    database = f"worker_{name}_{os.getpid()}"
    head, _, query = server_url.partition("?")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"create database {database} template opportune_template")
    yield f"{head.rsplit('/', 1)[0]}/{database}?{query}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"drop database {database} with (force)")
