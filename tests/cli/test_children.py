"""The parts of a running program: processes that are kept alive, and end with their parent."""

from __future__ import annotations

import http.client
import json
import logging
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from opportune import settings as machine
from opportune.cli import serve
from opportune.cli.serve import Children, environment, free_port, until_signal
from opportune.settings import Settings

Until = Callable[..., None]
AWAY = "postgresql://postgres@127.0.0.1:1/nowhere?connect_timeout=1"


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Settings of a program whose database is away."""
    port = free_port("127.0.0.1", 0)
    return Settings(data_folder=tmp_path / "data", database_url=AWAY, port=port)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Signals mean afterwards what they meant before."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def healthy(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def test_a_child_sees_the_settings_of_its_parent_and_no_others(
    alone: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPPORTUNE_NO_LONGER_A_SETTING", "1")
    monkeypatch.setenv("OPPORTUNE_BRAZE_API_KEY", "another")
    monkeypatch.setenv("SOMEBODY_ELSES", "kept")
    found = environment(replace(alone, database_url=""), "postgresql:///ours")
    assert machine.load(found) == replace(alone, database_url="postgresql:///ours")
    assert found["SOMEBODY_ELSES"] == "kept"


def test_a_child_that_ended_is_started_again_as_it_was(
    alone: Settings,
    until: Until,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    elsewhere = alone.data_folder / "elsewhere"
    with Children(environment(alone, "")) as children:
        children.start("keys", ["keys", "shop"], {"OPPORTUNE_DATA_FOLDER": str(elsewhere)})
        first = children.running["keys"]
        until(lambda: first.poll() is not None)
        with caplog.at_level(logging.WARNING, "opportune"):
            children.restart_dead()
        second = children.running["keys"]
        assert second.wait(timeout=60) == 0
    assert second.pid != first.pid
    assert caplog.messages == ["keys ended with status 0 and is started again"]
    kept = json.loads((elsewhere / "keys.json").read_text())
    assert [entry["source_id"] for entry in kept.values()] == ["shop", "shop"]
    assert len(set(capfd.readouterr().out.split())) == 2


def test_children_are_watched_until_asked_to_stop_or_until_it_holds(
    alone: Settings, capfd: pytest.CaptureFixture[str]
) -> None:
    file = alone.data_folder / "keys.json"
    stopped = threading.Event()
    stopped.set()
    with Children(environment(alone, "")) as children:
        children.start("keys", ["keys", "shop"])
        first = children.running["keys"]
        first.wait(timeout=60)
        children.watch(stopped)
        assert children.running["keys"] is first
        # The one that ended is replaced while we wait for what its successor does.
        children.watch(threading.Event(), until=lambda: len(json.loads(file.read_text())) == 2)
        assert children.running["keys"] is not first
    capfd.readouterr()


def test_a_collector_works_alone_and_ends_with_the_block(alone: Settings, until: Until) -> None:
    with Children(environment(alone, AWAY)) as children:
        children.start("collector", ["serve", "--only", "collector"])
        child = children.running["collector"]
        until(lambda: healthy(alone.port))
        children.restart_dead()
        assert children.running["collector"] is child
    assert child.returncode == -signal.SIGTERM
    assert not healthy(alone.port)


def test_a_child_that_does_not_react_is_killed(
    alone: Settings, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serve, "END_S", 0.3)
    with Children(environment(alone, AWAY)) as children:
        children.start("collector", ["serve", "--only", "collector"])
        child = children.running["collector"]
        until(lambda: healthy(alone.port))
        child.send_signal(signal.SIGSTOP)
    assert child.returncode == -signal.SIGKILL


def test_any_free_port_is_told_when_it_answers(alone: Settings) -> None:
    environ = environment(replace(alone, port=0), AWAY)
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "serve"],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        told = re.fullmatch(
            r"Opportune is at http://127\.0\.0\.1:(\d+) \(Ctrl-C stops it\)\.\n", line
        )
        assert told, line
        assert healthy(int(told.group(1)))
    finally:
        process.send_signal(signal.SIGTERM)
        rest, _ = process.communicate(timeout=30)
    assert (process.returncode, rest) == (0, "")


def test_a_worker_says_that_it_waits_for_its_database_and_ends_when_asked_to(
    alone: Settings,
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "opportune", "worker"],
        env=environment(alone, AWAY),
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    said = next((line for line in lines if line.startswith("database_unavailable: ")), "nothing")
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert "Check the server, or OPPORTUNE_DATABASE_URL; events are still accepted" in said
    assert process.returncode == 0


@pytest.mark.usefixtures("handlers")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_being_asked_to_end_sets_the_event(until: Until, number: signal.Signals) -> None:
    stop = until_signal()
    assert not stop.is_set()
    os.kill(os.getpid(), number)
    until(stop.is_set, within_s=5)


def test_a_child_ends_with_a_parent_that_was_killed(alone: Settings, until: Until) -> None:
    program = (
        "import sys, time; from opportune.cli.serve import Children, environment;"
        "from opportune import settings;"
        "children = Children(environment(settings.load(), sys.argv[1]));"
        "children.start('collector', ['serve', '--only', 'collector']); time.sleep(60)"
    )
    parent = subprocess.Popen(
        [sys.executable, "-c", program, AWAY],
        env=environment(alone, AWAY),
        stdin=subprocess.DEVNULL,
    )
    until(lambda: healthy(alone.port))
    parent.kill()
    assert parent.wait(timeout=60) == -signal.SIGKILL
    until(lambda: not healthy(alone.port))
